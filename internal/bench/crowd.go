package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strconv"

	"golang.org/x/sys/unix"

	"github.com/tcptrail/tcptrail/internal/traffic"
)

// holdCommand makes this program one that holds connections until its standard input ends.
const holdCommand = "hold"

const (
	// connectionsPerHolder keeps a holder below 20,000 descriptors, a limit that many machines have.
	connectionsPerHolder = 9500
	// spareDescriptors is what a holder needs beside those of its connections.
	spareDescriptors = 100
	// maxHolders is how many addresses 127.0.N.1 there are, from 127.0.1.1.
	maxHolders = 255
	// halfClosedShare is the part of the connections of which one end is in CLOSE_WAIT and the other in FIN_WAIT2.
	halfClosedShare = 10
)

// crowd is established and half-closed connections, both ends of each, in a namespace of their own.
type crowd struct {
	ns          netns
	holders     []*exec.Cmd
	perHolder   int
	connections int
	halfClosed  int
}

func newCrowd() (*crowd, error) {
	perHolder, err := holderCapacity()
	if err != nil {
		return nil, err
	}
	ns, err := newNetNS()
	return &crowd{ns: ns, perHolder: perHolder}, err
}

// holderCapacity returns how many connections one process may hold.
func holderCapacity() (int, error) {
	var limit unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &limit); err != nil {
		return 0, os.NewSyscallError("getrlimit", err)
	}
	if limit.Max < 2*spareDescriptors {
		return 0, fmt.Errorf("limit of %d descriptors is too low: raise it with ulimit -Hn", limit.Max)
	}
	return int(min((limit.Max-spareDescriptors)/2, connectionsPerHolder)), nil
}

// sockets is how many there are, none of them in other states than ESTABLISHED, CLOSE_WAIT and FIN_WAIT2.
func (c *crowd) sockets() int { return 2 * c.connections }

// grow adds connections until there are so many.
func (c *crowd) grow(ctx context.Context, connections int) error {
	for c.connections < connections {
		if err := c.add(ctx, min(connections-c.connections, c.perHolder)); err != nil {
			return fmt.Errorf("gather %d connections: %w", connections, err)
		}
	}
	return nil
}

// add starts a holder of n connections and waits until it has them.
func (c *crowd) add(ctx context.Context, n int) error {
	if len(c.holders) == maxHolders {
		return fmt.Errorf("%d processes of %d connections are not enough: raise ulimit -Hn", maxHolders, c.perHolder)
	}
	self, err := os.Executable()
	if err != nil {
		return err
	}
	halfClosed := n / halfClosedShare
	cmd := exec.CommandContext(ctx, self, holdCommand, strconv.Itoa(len(c.holders)+1), strconv.Itoa(n), strconv.Itoa(halfClosed))
	var errs bytes.Buffer
	cmd.Stderr = &errs
	if _, err := cmd.StdinPipe(); err != nil { // ends with this process, however that ends
		return err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return err
	}
	if err := c.ns.within(cmd.Start); err != nil {
		return err
	}
	c.holders = append(c.holders, cmd)
	if _, err := bufio.NewReader(out).ReadString('\n'); err != nil {
		_ = cmd.Wait() // what it wrote says more
		return errors.Join(errors.New("holder gave up: "+errs.String()), ctx.Err())
	}
	c.connections += n
	c.halfClosed += halfClosed
	return nil
}

// close ends the holders.
func (c *crowd) close() {
	for _, cmd := range c.holders {
		_ = cmd.Process.Kill() // no-op after Wait
	}
	for _, cmd := range c.holders {
		_ = cmd.Wait() // it was killed
	}
	c.ns.close()
}

// runHold is the holder's side.
func runHold(o options) error {
	var host uint8
	var connections, halfClosed int
	if len(o.args) != 4 {
		return fmt.Errorf("%s: %d arguments, want 3", holdCommand, len(o.args)-1)
	}
	for i, value := range []any{&host, &connections, &halfClosed} {
		if _, err := fmt.Sscan(o.args[i+1], value); err != nil {
			return fmt.Errorf("%s: %w", holdCommand, err)
		}
	}
	held, err := traffic.Gather(host, connections)
	if err != nil {
		return err
	}
	defer held.Close()
	if err := held.HalfClose(halfClosed); err != nil {
		return err
	}
	fmt.Println("ready")
	_, err = io.Copy(io.Discard, os.Stdin)
	return err
}
