package family

import (
	"fmt"
	"os/user"
	"slices"
	"strconv"
	"strings"
	"syscall"
)

// User is whom a command runs as.
type User struct {
	Name   string
	Home   string
	uid    uint32
	gid    uint32
	groups []uint32
}

// LookupUser finds a user by name or number, with all groups.
func LookupUser(name string) (*User, error) {
	found, err := user.Lookup(name)
	if _, numeric := strconv.ParseUint(name, 10, 32); err != nil && numeric == nil {
		found, err = user.LookupId(name)
	}
	if err != nil {
		return nil, fmt.Errorf("find user %q: %w", name, err)
	}
	u := &User{Name: found.Username, Home: found.HomeDir}
	groups, err := found.GroupIds()
	if err != nil {
		return nil, fmt.Errorf("find the groups of user %q: %w", name, err)
	}
	for _, field := range []struct {
		text string
		to   *uint32
	}{{found.Uid, &u.uid}, {found.Gid, &u.gid}} {
		if *field.to, err = parseID(field.text); err != nil {
			return nil, err
		}
	}
	for _, text := range groups {
		group, err := parseID(text)
		if err != nil {
			return nil, err
		}
		u.groups = append(u.groups, group)
	}
	return u, nil
}

func parseID(text string) (uint32, error) {
	id, err := strconv.ParseUint(text, 10, 32)
	if err != nil {
		return 0, fmt.Errorf("user or group number %q: %w", text, err)
	}
	return uint32(id), nil
}

func (u *User) credential() *syscall.Credential {
	return &syscall.Credential{Uid: u.uid, Gid: u.gid, Groups: u.groups}
}

// environ returns an environment in which the user is at home.
func (u *User) environ(env []string) []string {
	env = slices.DeleteFunc(slices.Clone(env), func(entry string) bool {
		name, _, _ := strings.Cut(entry, "=")
		return name == "HOME" || name == "USER" || name == "LOGNAME"
	})
	return append(env, "HOME="+u.Home, "USER="+u.Name, "LOGNAME="+u.Name)
}
