// Go's net/http: signal.Notify, then Server.Shutdown with a deadline, and the process waits for Shutdown to return, as
// its documentation shows (https://pkg.go.dev/net/http#Server.Shutdown, with its example). That page also says that
// hijacked connections such as WebSockets are neither closed nor waited for, and that the caller should tell them
// (RegisterOnShutdown) and wait for them: that is done here. HTTP/2 without TLS is golang.org/x/net/http2/h2c
// (https://pkg.go.dev/golang.org/x/net/http2/h2c); http2.ConfigureServer makes Shutdown send GOAWAY on its connections,
// but as h2c hijacks them Shutdown does not wait for their streams (golang/go#26682).
//
//	GO111MODULE=off GOPATH=/usr/share/gocode go build -o peer-go peers/go/*.go
//
// needs Debian's golang, golang-golang-x-net-dev and golang-github-gorilla-websocket-dev.
package main

import (
	"context"
	"errors"
	"fmt"
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

const grace = 5 * time.Second

func main() {
	sockets := newSockets()
	http2Server := &http2.Server{}
	server := &http.Server{
		Addr:    "127.0.0.1:" + os.Getenv("PORT"),
		Handler: h2c.NewHandler(routes(sockets), http2Server),
	}
	if err := http2.ConfigureServer(server, http2Server); err != nil {
		log.Fatal(err)
	}
	server.RegisterOnShutdown(sockets.sayGoodbye)

	stopped := make(chan error, 1)
	go func() {
		asked := make(chan os.Signal, 1)
		signal.Notify(asked, os.Interrupt, syscall.SIGTERM)
		<-asked
		ctx, cancel := context.WithTimeout(context.Background(), grace)
		defer cancel()
		err := server.Shutdown(ctx)
		if waited := sockets.wait(ctx); err == nil {
			err = waited
		}
		stopped <- err
	}()
	if err := server.ListenAndServe(); !errors.Is(err, http.ErrServerClosed) {
		log.Fatal(err)
	}
	if err := <-stopped; err != nil {
		log.Fatalf("shutdown: %v", err)
	}
}

func routes(sockets *sockets) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("/", ok)
	mux.HandleFunc("/sleep", func(w http.ResponseWriter, r *http.Request) {
		select {
		case <-time.After(milliseconds(r, "ms")):
			ok(w, r)
		case <-r.Context().Done():
		}
	})
	// A goroutine is a thread that may be blocked, and the one that runs the handler.
	blocked := func(w http.ResponseWriter, r *http.Request) {
		time.Sleep(milliseconds(r, "ms"))
		ok(w, r)
	}
	mux.HandleFunc("/block", blocked)
	mux.HandleFunc("/starve", blocked)
	mux.HandleFunc("/hang", func(_ http.ResponseWriter, r *http.Request) {
		<-r.Context().Done()
	})
	mux.HandleFunc("/stream", stream)
	mux.HandleFunc("/echo", func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		_, _ = w.Write(body)
	})
	mux.HandleFunc("/ws", sockets.echo)
	return mux
}

func ok(w http.ResponseWriter, _ *http.Request) {
	_, _ = io.WriteString(w, "OK")
}

func stream(w http.ResponseWriter, r *http.Request) {
	chunks, _ := strconv.Atoi(r.URL.Query().Get("chunks"))
	pause := milliseconds(r, "ms")
	for n := 0; n < chunks; n++ {
		if n > 0 {
			select {
			case <-time.After(pause):
			case <-r.Context().Done():
				return
			}
		}
		if _, err := fmt.Fprintf(w, "chunk %04d\n", n); err != nil {
			return
		}
		w.(http.Flusher).Flush()
	}
}

func milliseconds(r *http.Request, name string) time.Duration {
	ms, _ := strconv.Atoi(r.URL.Query().Get(name))
	return time.Duration(ms) * time.Millisecond
}
