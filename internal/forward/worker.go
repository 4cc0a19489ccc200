package forward

import (
	"context"
	"errors"
	"fmt"
	"syscall"
	"time"

	"github.com/tcptrail/tcptrail/internal/systemlog"
	"github.com/tcptrail/tcptrail/internal/tcp"
)

// worker is the goroutine of a Forwarder that sends.
type worker struct {
	*Forwarder
	ctx     context.Context // ends when nothing more is to be sent
	taken   []tcp.Event
	packer  packer
	trouble time.Time // of the last loss or failure, as long as there is trouble
	told    uint64    // how many were lost when that was told last
	rate    rate
}

func newWorker(ctx context.Context, f *Forwarder) *worker { return &worker{Forwarder: f, ctx: ctx} }

func (w *worker) run() {
	defer close(w.done)
	for {
		m, last := w.take()
		for at := 0; at < len(w.taken); at += chunk {
			if !w.forward(w.taken[at:min(at+chunk, len(w.taken))]) {
				return
			}
		}
		if !w.tell(m) {
			return
		}
		w.settle()
		if last {
			return
		}
		w.wait()
	}
}

// take takes what waits, and what is missing behind it. After the last there is no more.
func (w *worker) take() (m missing, last bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.waiting, w.taken = w.taken[:0], w.waiting
	m, w.missing = w.missing, missing{}
	return m, w.closing
}

// wait waits until there is something to do.
func (w *worker) wait() {
	var due <-chan time.Time
	if !w.trouble.IsZero() {
		timer := time.NewTimer(max(w.times.calm-time.Since(w.trouble), time.Millisecond))
		defer timer.Stop()
		due = timer.C
	}
	select {
	case <-w.wake:
	case <-w.quit:
	case <-due:
	}
}

// forward sends transitions. It returns false when it had to give up, as the next two do.
func (w *worker) forward(events []tcp.Event) bool {
	w.packer.reset()
	for i := range events {
		w.packer.add(w.log.Transition(w.packer.text, &events[i]))
	}
	return w.send(w.packer.messages(), true)
}

// tell sends word of what is missing.
func (w *worker) tell(m missing) bool {
	w.packer.reset()
	now := time.Now()
	if m.before > 0 {
		w.packer.add(w.log.Loss(w.packer.text, now, m.before, "the buffer between the kernel and tcptrail was full"))
	}
	if m.here > 0 {
		w.packer.add(w.log.Loss(w.packer.text, now, m.here, "this log did not take them in time"))
		w.troubled("does not keep up: transitions are lost")
	}
	return w.send(w.packer.messages(), false)
}

// send sends messages, again and again if need be.
func (w *worker) send(messages [][]byte, transitions bool) bool {
	for len(messages) > 0 {
		ctx, cancel := context.WithTimeout(w.ctx, w.times.send)
		n, err := w.log.Send(ctx, messages...)
		cancel()
		w.sent(n, transitions)
		messages = messages[n:]
		switch {
		case err == nil:
		case w.ctx.Err() != nil:
			return false
		case errors.Is(err, syscall.EMSGSIZE) && len(messages) > 0:
			w.troubled(fmt.Sprintf("send: %v: some transitions are lost", err))
			w.refused(transitions)
			messages = messages[1:]
		default:
			if !errors.Is(err, systemlog.ErrConnect) {
				err = fmt.Errorf("send: %w", err)
			}
			w.troubled(fmt.Sprintf("%v: transitions wait, and are lost when there are too many", err))
			if !w.pause() {
				return false
			}
		}
	}
	return true
}

func (w *worker) sent(n int, transitions bool) {
	if _, journal := w.log.(*Journal); journal && w.rate.exceeds(n, time.Now()) {
		w.warn(w.log.Name() + ": " + rateAdvice)
	}
	if !transitions {
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.stats.Sent += uint64(n)
}

// refused notes that the log will never take a message.
func (w *worker) refused(transition bool) {
	if !transition {
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.stats.Lost++
	w.missing.here++
}

// pause waits after a failure. It returns false when there is no time for that any more.
func (w *worker) pause() bool {
	timer := time.NewTimer(w.times.retry)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-w.quit:
		return false
	}
}

// troubled says that there is trouble, unless there was already.
func (w *worker) troubled(what string) {
	if w.trouble.IsZero() {
		w.warn(w.log.Name() + ": " + what)
	}
	w.trouble = time.Now()
}

// settle says that trouble is over, when it is.
func (w *worker) settle() {
	if w.trouble.IsZero() || time.Since(w.trouble) < w.times.calm {
		return
	}
	w.trouble = time.Time{}
	lost := w.Stats().Lost
	w.warn(fmt.Sprintf("%s: takes transitions again: %d were lost", w.log.Name(), lost-w.told))
	w.told = lost
}

// packer has the messages of a chunk in memory that is used again.
type packer struct {
	text  []byte
	ends  []int // in text
	parts [][]byte
}

func (p *packer) reset() { p.text, p.ends = p.text[:0], p.ends[:0] }

// add takes the text with a message more at its end.
func (p *packer) add(text []byte) {
	p.text = text
	p.ends = append(p.ends, len(text))
}

func (p *packer) messages() [][]byte {
	p.parts = p.parts[:0]
	begin := 0
	for _, end := range p.ends {
		p.parts = append(p.parts, p.text[begin:end])
		begin = end
	}
	return p.parts
}
