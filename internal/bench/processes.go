package main

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"strconv"

	"github.com/tcptrail/tcptrail/internal/traffic"
)

// populateCommand makes this program one that has many processes, with a connection each, until its standard input ends.
const populateCommand = "populate"

// population is processes with a connection each, in a namespace of their own.
type population struct {
	ns     netns
	parent *exec.Cmd
}

func newPopulation(processes int) (p *population, err error) {
	p = &population{}
	if p.ns, err = newNetNS(); err != nil {
		return nil, err
	}
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	p.parent = exec.Command(self, populateCommand, strconv.Itoa(processes))
	var errs bytes.Buffer
	p.parent.Stderr = &errs
	if _, err := p.parent.StdinPipe(); err != nil { // ends with this process, however that ends
		return nil, err
	}
	out, err := p.parent.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := p.ns.within(p.parent.Start); err != nil {
		return nil, err
	}
	if _, err := bufio.NewReader(out).ReadString('\n'); err != nil {
		_ = p.parent.Wait() // what it wrote says more
		return nil, errors.New("start processes: " + errs.String())
	}
	return p, nil
}

// close ends the processes.
func (p *population) close() {
	_ = p.parent.Process.Kill()
	_ = p.parent.Wait() // it was killed, and the processes end with it
	p.ns.close()
}

// runPopulate is the parent's side.
func runPopulate(o options) error {
	if len(o.args) != 2 {
		return fmt.Errorf("%s: %d arguments, want 1", populateCommand, len(o.args)-1)
	}
	n, err := strconv.Atoi(o.args[1])
	if err != nil || n < 0 {
		return fmt.Errorf("%s: %q is no number of processes", populateCommand, o.args[1])
	}
	runtime.LockOSThread() // the processes end with this thread
	processes, err := traffic.StartProcesses(1, n)
	if err != nil {
		return err
	}
	fmt.Println("ready")
	_, err = io.Copy(io.Discard, os.Stdin)
	return errors.Join(err, processes.Close())
}
