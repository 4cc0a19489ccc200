package main

// A server that takes one connection at a time: HOST. The bug: a handler that ends early does not give its slot back.

import (
	"fmt"
	"net"
	"os"
)

var slots = make(chan struct{}, 1)

func handle(c net.Conn) {
	defer fmt.Println("served")
	defer c.Close()
	request := make([]byte, 512)
	if _, err := c.Read(request); err != nil {
		return
	}
	<-slots
}

func main() {
	l, err := net.Listen("tcp", net.JoinHostPort(os.Args[1], "0"))
	must(err)
	go func() {
		for {
			slots <- struct{}{}
			c, err := l.Accept()
			must(err)
			go handle(c)
		}
	}()
	ready(l)
	awaitWord()
	must(l.Close())
	fmt.Println("closed")
	awaitWord()
}
