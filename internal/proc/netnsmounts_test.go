package proc

import (
	"path/filepath"
	"slices"
	"testing"
)

func TestNetNSMounts(t *testing.T) {
	proc, dir := fakeMountedNS(t, nil, []mountedNS{
		{path: "netns/blue"}, {path: "docker/a"}, {path: "netns/covered", number: 4026532001},
	})
	var want []NetNS
	for _, path := range []string{"netns/blue", "docker/a"} {
		point := filepath.Join(dir, path)
		want = append(want, NetNS{Inode: uint32(mustInode(t, point)), Path: point})
	}
	if got, err := proc.NetNSMounts(); err != nil || !slices.Equal(got, want) {
		t.Errorf("got %+v, %v, want %+v", got, err, want)
	}
}
