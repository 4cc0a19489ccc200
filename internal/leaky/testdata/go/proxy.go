package main

// A proxy for one connection: HOST UPSTREAMHOST UPSTREAMPORT. It passes the end of each side on and waits for the other's.

import (
	"fmt"
	"io"
	"net"
	"os"
	"sync"
)

func pipe(to, from net.Conn, done *sync.WaitGroup) {
	defer done.Done()
	io.Copy(to, from)
	to.(*net.TCPConn).CloseWrite()
	fmt.Println("passed")
}

func main() {
	l, err := net.Listen("tcp", net.JoinHostPort(os.Args[1], "0"))
	must(err)
	ready(l)
	client, err := l.Accept()
	must(err)
	server, err := net.Dial("tcp", net.JoinHostPort(os.Args[2], os.Args[3]))
	must(err)
	report(client)
	report(server)
	var done sync.WaitGroup
	done.Add(2)
	go pipe(server, client, &done)
	go pipe(client, server, &done)
	awaitWord()
	must(client.Close())
	must(server.Close())
	done.Wait()
	fmt.Println("closed")
	awaitWord()
}
