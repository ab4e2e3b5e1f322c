// The same routes on Go's net/http, HTTP/2 without TLS included: what many would otherwise write.
//
//	GO111MODULE=off GOPATH=/usr/share/gocode go build -o bench-server-go benches/go/main.go
//
// needs Debian's golang and golang-golang-x-net-dev. Listens on 127.0.0.1:$PORT until SIGTERM.
package main

import (
	"context"
	"errors"
	"io"
	"log"
	"net/http"
	"os"
	"os/signal"
	"strconv"
	"syscall"
	"time"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/h2c"
)

func ok(w http.ResponseWriter, _ *http.Request) {
	// What axum says about a `&'static str`.
	w.Header()["Content-Type"] = []string{"text/plain; charset=utf-8"}
	_, _ = io.WriteString(w, "OK")
}

func main() {
	mux := http.NewServeMux()
	mux.HandleFunc("/", ok)
	mux.HandleFunc("/sleep", func(w http.ResponseWriter, r *http.Request) {
		time.Sleep(300 * time.Millisecond)
		ok(w, r)
	})
	mux.HandleFunc("/echo", func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(io.LimitReader(r.Body, 2<<20))
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		w.Header()["Content-Type"] = []string{"application/octet-stream"}
		_, _ = w.Write(body)
	})
	for n := 0; n < 5; n++ {
		mux.HandleFunc("/route/"+strconv.Itoa(n), ok)
	}
	server := &http.Server{
		Addr:    "127.0.0.1:" + os.Getenv("PORT"),
		Handler: h2c.NewHandler(mux, &http2.Server{}),
	}
	asked := make(chan os.Signal, 1)
	signal.Notify(asked, syscall.SIGTERM)
	stopped := make(chan error, 1)
	go func() {
		<-asked
		ctx, cancel := context.WithTimeout(context.Background(), 17*time.Second)
		defer cancel()
		stopped <- server.Shutdown(ctx)
	}()
	if err := server.ListenAndServe(); !errors.Is(err, http.ErrServerClosed) {
		log.Fatal(err)
	}
	if err := <-stopped; err != nil {
		log.Fatal(err)
	}
}
