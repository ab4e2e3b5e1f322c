package main

import (
	"context"
	"net/http"
	"sync"
	"time"

	"github.com/gorilla/websocket"
)

// The open WebSockets: net/http forgets a connection that was hijacked.
type sockets struct {
	upgrader websocket.Upgrader
	open     sync.WaitGroup
	mu       sync.Mutex
	all      map[*websocket.Conn]struct{}
}

func newSockets() *sockets {
	return &sockets{all: make(map[*websocket.Conn]struct{})}
}

func (s *sockets) echo(w http.ResponseWriter, r *http.Request) {
	socket, err := s.upgrader.Upgrade(w, r, nil)
	if err != nil {
		return
	}
	s.open.Add(1)
	s.mu.Lock()
	s.all[socket] = struct{}{}
	s.mu.Unlock()
	defer func() {
		s.mu.Lock()
		delete(s.all, socket)
		s.mu.Unlock()
		_ = socket.Close()
		s.open.Done()
	}()
	for {
		// It answers pings, and a Close with a Close.
		kind, message, err := socket.ReadMessage()
		if err != nil {
			return
		}
		if err := socket.WriteMessage(kind, message); err != nil {
			return
		}
	}
}

// Tells each that the server is going away (1001).
func (s *sockets) sayGoodbye() {
	s.mu.Lock()
	defer s.mu.Unlock()
	goodbye := websocket.FormatCloseMessage(websocket.CloseGoingAway, "stopping")
	for socket := range s.all {
		_ = socket.WriteControl(websocket.CloseMessage, goodbye, time.Now().Add(time.Second))
	}
}

// Waits until all have ended.
func (s *sockets) wait(ctx context.Context) error {
	ended := make(chan struct{})
	go func() {
		s.open.Wait()
		close(ended)
	}()
	select {
	case <-ended:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
