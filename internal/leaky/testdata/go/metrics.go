package main

// A program that sends metrics over a connection that it opens once: HOST PORT. The bug: the error of writing is dropped.

import (
	"fmt"
	"net"
	"os"
)

func main() {
	c, err := net.Dial("tcp", net.JoinHostPort(os.Args[1], os.Args[2]))
	must(err)
	report(c)
	ready(nil)
	awaitWord()
	c.Write([]byte("requests:1|c\n"))
	fmt.Println("sent")
	awaitWord()
	must(c.Close())
	fmt.Println("closed")
	awaitWord()
}
