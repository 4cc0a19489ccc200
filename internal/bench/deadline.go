package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"time"
)

const (
	// deadlineLimit is how long a probe may be in CLOSE_WAIT.
	deadlineLimit = time.Second
	// deadlineAddr is where probes talk; the crowd has other addresses.
	deadlineAddr = "127.200.0.1"
	// deadlineWait is how long a finding may take until we give up on it.
	deadlineWait = 30 * time.Second
)

// measureDeadline measures how long after a socket's time is over leaks tells of it, while it watches a crowd.
func measureDeadline(o options) error {
	sizes, err := parseSizes(o.sizes)
	if err != nil {
		return err
	}
	c, err := newCrowd()
	if err != nil {
		return err
	}
	defer c.close()
	fmt.Printf("| sockets watched | probes | told after the limit, median | 95 %% | latest |\n| --- | --- | --- | --- | --- |\n")
	for _, size := range sizes {
		if err := c.grow(context.Background(), size/2); err != nil {
			return err
		}
		late, err := probe(o, c)
		if err != nil {
			return err
		}
		slices.Sort(late)
		at := func(share float64) time.Duration {
			return late[int(share*float64(len(late)-1))].Round(time.Millisecond)
		}
		fmt.Printf("| %d | %d | %v | %v | %v |\n", c.sockets(), len(late), at(0.5), at(0.95), at(1))
	}
	return nil
}

// probe lets one socket after the other get stuck, and returns how late each was told.
func probe(o options, c *crowd) (late []time.Duration, err error) {
	cmd := exec.Command(o.binary, "leaks", "-o", "json", "--limit", "ESTABLISHED=1h,FIN_WAIT2=off,ZOMBIE=off,CLOSE_WAIT="+deadlineLimit.String(),
		"src", deadlineAddr)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, cmd.Process.Signal(os.Interrupt), cmd.Wait()) }()
	told := make(chan toldOf, 100)
	go readTold(bufio.NewReader(out), told)
	for range o.rounds * probesPerRound {
		d, err := probeOnce(c, told)
		if err != nil {
			return nil, err
		}
		late = append(late, d)
	}
	return late, nil
}

// probesPerRound gives a tail to speak of.
const probesPerRound = 8

// toldOf is a line that tells of a port, and when it came.
type toldOf struct {
	port   int
	status string
	at     time.Time
}

func readTold(lines *bufio.Reader, told chan<- toldOf) {
	defer close(told)
	for {
		line, err := lines.ReadBytes('\n')
		if err != nil {
			return
		}
		t := toldOf{at: time.Now()}
		var f struct {
			Port   int
			Status string
		}
		if json.Unmarshal(line, &f) == nil {
			t.port, t.status = f.Port, f.Status
			told <- t
		}
	}
}

// probeOnce makes a connection whose server does not look when its client closes.
func probeOnce(c *crowd, told <-chan toldOf) (late time.Duration, err error) {
	var l net.Listener
	var server net.Conn
	var closed time.Time
	err = c.ns.within(func() error {
		if l, err = net.Listen("tcp", net.JoinHostPort(deadlineAddr, "0")); err != nil {
			return err
		}
		client, err := net.Dial("tcp", l.Addr().String())
		if err != nil {
			return err
		}
		if server, err = l.Accept(); err != nil {
			return err
		}
		if err := client.Close(); err != nil { // on loopback the FIN has arrived when it returns
			return err
		}
		closed = time.Now()
		return nil
	})
	if err != nil {
		return 0, err
	}
	defer l.Close()
	defer server.Close()
	_, port, err := net.SplitHostPort(l.Addr().String())
	if err != nil {
		return 0, err
	}
	number, err := strconv.Atoi(port)
	if err != nil {
		return 0, err
	}
	for timeout := time.After(deadlineWait); ; {
		select {
		case t, ok := <-told:
			if !ok {
				return 0, errors.New("leaks has ended")
			}
			if t.port == number && t.status == "firing" {
				return t.at.Sub(closed.Add(deadlineLimit)), nil
			}
		case <-timeout:
			return 0, fmt.Errorf("nothing was told of port %d in %v", number, deadlineWait)
		}
	}
}
