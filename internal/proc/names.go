package proc

import (
	"errors"
	"fmt"
	"math"
	"net"
	"os/user"
	"strconv"
)

// Interface returns the index of a network interface: that of the name in the network namespace of the calling thread,
// or the number in arg, which is taken as it stands, as each namespace has its own. Alternative names (ip-link(8)) are
// not known.
func (FS) Interface(arg string) (uint32, error) {
	if isNumber(arg) {
		index, err := strconv.ParseInt(arg, 10, 32) // an int in the kernel
		if err != nil || index == 0 {
			return 0, fmt.Errorf("interface %q: give an index from 1 to %d, or a name", arg, math.MaxInt32)
		}
		return uint32(index), nil
	}
	// Asked for one by one, the error tells no name from no answer.
	all, err := net.Interfaces()
	if err != nil {
		return 0, fmt.Errorf("interface %q: %w: give its index, as ip link shows it", arg, err)
	}
	for _, one := range all {
		if one.Name == arg {
			return uint32(one.Index), nil
		}
	}
	return 0, fmt.Errorf("interface %q: no such interface in this network namespace (ip link lists those that are): "+
		"of another one give the index", arg)
}

// User returns the id of a user: that of the name, or the number in arg, which is taken as it stands, as a container's
// users have no names here. A static binary knows the users in /etc/passwd alone.
func (FS) User(arg string) (uint32, error) {
	if isNumber(arg) {
		return parseUID(arg)
	}
	found, err := user.Lookup(arg)
	var unknown user.UnknownUserError
	switch {
	case errors.As(err, &unknown):
		return 0, fmt.Errorf("user %q: no such user in /etc/passwd: give the number that id -u prints", arg)
	case err != nil:
		return 0, fmt.Errorf("user %q: %q: give the number that id -u prints", arg, err) // may hold arg: quoted
	}
	return parseUID(found.Uid)
}

// parseUID reads a user's id; the highest number stands for none (setresuid(2)).
func parseUID(digits string) (uint32, error) {
	uid, err := strconv.ParseUint(digits, 10, 32)
	if err != nil || uid == math.MaxUint32 {
		return 0, fmt.Errorf("user %q: give an id from 0 to %d, or a name", digits, uint32(math.MaxUint32-1))
	}
	return uint32(uid), nil
}
