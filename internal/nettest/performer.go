package nettest

import (
	"errors"
	"fmt"

	"golang.org/x/sys/unix"
)

// performer carries requests out in this process and knows the sockets that they made. It is not safe for concurrent
// use.
type performer struct {
	sockets map[int]*Socket // by descriptor
	crowd   crowd
}

func newPerformer() *performer { return &performer{sockets: make(map[int]*Socket)} }

// perform carries out one request and closes the descriptors passed along with it.
func (p *performer) perform(req request, passed []int) (resp response, err error) {
	defer func() {
		for _, fd := range passed {
			err = errors.Join(err, unix.Close(fd))
		}
	}()
	switch req.Op {
	case opOpen:
		return p.adopt(openSocket(req.N, unix.IPPROTO_TCP))
	case opOpenMPTCP:
		return p.adopt(openSocket(req.N, unix.IPPROTO_MPTCP))
	case opReceive:
		return p.receive(passed)
	case opSpawn:
		return p.spawn(req, passed)
	case opSetName:
		return resp, setName(req.Name)
	case opGather:
		return resp, p.crowd.gather(req.Addr, req.N)
	case opHalfClose:
		return resp, p.crowd.halfClose(req.N)
	case opDisperse:
		return resp, p.crowd.disperse()
	case opChurn:
		return churn(req.N, passed)
	}
	s, ok := p.sockets[req.FD]
	if !ok {
		return resp, fmt.Errorf("descriptor %d: %w", req.FD, errNoDescriptor)
	}
	switch req.Op {
	case opAccept:
		return p.adopt(s.Accept())
	case opDup:
		return p.adopt(s.Dup())
	case opClose:
		delete(p.sockets, req.FD)
		return resp, s.Close()
	case opSend:
		if len(passed) != 1 {
			return resp, fmt.Errorf("%d channels to send a descriptor on, want 1", len(passed))
		}
		return resp, sendMessage(passed[0], nil, s.fd)
	}
	return s.perform(req)
}

// adopt makes a new socket known.
func (p *performer) adopt(s *Socket, err error) (resp response, _ error) {
	if err != nil {
		return resp, err
	}
	p.sockets[s.fd] = s
	resp.FD = s.fd
	resp.Identity, err = s.Identify()
	return resp, err
}

// receive takes the descriptor that another actor sent.
func (p *performer) receive(passed []int) (response, error) {
	if len(passed) != 1 {
		return response{}, fmt.Errorf("%d channels to receive a descriptor on, want 1", len(passed))
	}
	_, fds, err := receiveMessage(passed[0], nil)
	if err == nil && len(fds) != 1 {
		err = fmt.Errorf("received %d descriptors, want 1", len(fds))
	}
	if err != nil {
		return response{}, err
	}
	return p.adopt(&Socket{fds[0]}, nil)
}

// closeAll closes what is still open.
func (p *performer) closeAll() (err error) {
	for fd, s := range p.sockets {
		delete(p.sockets, fd)
		err = errors.Join(err, s.Close())
	}
	return err
}

// perform carries out a request that concerns one socket and makes no other.
func (s *Socket) perform(req request) (resp response, err error) {
	switch req.Op {
	case opBind:
		return s.identified(s.Bind(req.Addr))
	case opListen:
		return s.identified(s.Listen(req.N))
	case opConnect:
		return s.identified(s.Connect(req.Addr))
	case opStartConnect:
		return s.identified(s.StartConnect(req.Addr))
	case opFinishConnect:
		return s.identified(s.FinishConnect())
	case opDisconnect:
		return s.identified(s.Disconnect())
	case opIdentify:
		return s.identified(nil)
	case opWrite:
		err = s.Write(req.N)
	case opFill:
		resp.N, err = s.Fill()
	case opRead:
		err = s.Read(req.N)
	case opReadEOF:
		resp.N, err = s.ReadEOF()
	case opShutdown:
		err = s.Shutdown()
	case opLinger0:
		err = s.Linger0()
	case opUserTimeout:
		err = s.UserTimeout(req.duration())
	case opState:
		resp.State, err = s.State()
	case opWaitState:
		err = s.WaitState(req.State)
	default:
		err = fmt.Errorf("unknown operation %q", req.Op)
	}
	return resp, err
}

// identified answers with the identity after a call that may have changed it.
func (s *Socket) identified(err error) (resp response, _ error) {
	if err != nil {
		return resp, err
	}
	resp.Identity, err = s.Identify()
	return resp, err
}
