package main

// A client of an HTTP server that never closes the bodies of responses: HOST PORT COUNT.

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"os"
	"strconv"
)

func main() {
	count, err := strconv.Atoi(os.Args[3])
	must(err)
	client := http.Client{Transport: &http.Transport{
		DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
			c, err := new(net.Dialer).DialContext(ctx, network, address)
			if err == nil {
				report(c)
			}
			return c, err
		},
	}}
	ready(nil)
	var bodies []*http.Response
	for range count {
		response, err := client.Get("http://" + net.JoinHostPort(os.Args[1], os.Args[2]))
		must(err)
		if response.StatusCode != http.StatusOK { // the bug: no defer response.Body.Close()
			bodies = append(bodies, response)
		}
	}
	awaitWord()
	for _, r := range bodies {
		r.Body.Close()
	}
	fmt.Println("closed")
	awaitWord()
}
