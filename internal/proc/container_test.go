package proc

import (
	"strings"
	"testing"
)

func TestContainerOf(t *testing.T) {
	const (
		id        = "5cf1a3b4a0d2e6f7889900aabbccddeeff00112233445566778899aabbccddee"
		inner     = "00000000000000000000000000000000000000000000000000000000000000a1"
		pod       = "3f5e1b1a-6d0f-4c3e-9a55-0c6d2f1e8b7a"
		podInUnit = "3f5e1b1a_6d0f_4c3e_9a55_0c6d2f1e8b7a"
		slice     = "/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod" + podInUnit + ".slice/"
		user      = "/user.slice/user-1000.slice/user@1000.service/"
	)
	tests := []struct{ name, path, want string }{
		{"docker with systemd", "/system.slice/docker-" + id + ".scope", id},
		{"docker without", "/docker/" + id, id},
		{"docker, rootless", user + "user.slice/docker-" + id + ".scope", id},
		{"docker with a parent of the user's choice", "/actions_job/" + id, id},
		{"docker, systemd inside", "/system.slice/docker-" + id + ".scope/system.slice/nginx.service", id},
		{"kind", "/docker/" + id + "/kubelet.slice/kubelet-kubepods.slice/cri-containerd-" + inner + ".scope", inner},
		{"docker in docker", "/docker/" + id + "/docker/" + inner, inner},
		{"kubernetes, containerd, systemd", slice + "cri-containerd-" + id + ".scope", id},
		{"kubernetes, CRI-O, systemd", slice + "crio-" + id + ".scope", id},
		{"kubernetes, CRI-O with crun", slice + "crio-" + id + ".scope/container", id},
		{"kubernetes, docker, systemd", slice + "docker-" + id + ".scope", id},
		{"kubernetes, guaranteed", "/kubepods/pod" + pod + "/" + id, id},
		{"kubernetes, best effort", "/kubepods/besteffort/pod" + pod + "/" + id, id},
		{"kubernetes, CRI-O without systemd", "/kubepods/burstable/pod" + pod + "/crio-" + id, id},
		{"kubernetes, drivers at odds", "/system.slice/kubepods-pod" + podInUnit + ".slice:cri-containerd:" + id, id},
		{"kubernetes, pod", "/kubepods/burstable/pod" + pod, ""},
		{"kubernetes, pod's slice", strings.TrimSuffix(slice, "/"), ""},
		{"ECS", "/ecs/0123456789abcdef0123456789abcdef/" + id, id},
		{"podman", "/machine.slice/libpod-" + id + ".scope", id},
		{"podman, its cgroup for the payload", "/machine.slice/libpod-" + id + ".scope/container", id},
		{"podman, rootless", user + "user.slice/libpod-" + id + ".scope/container", id},
		{"podman in a pod", "/machine.slice/machine-libpod_pod_" + inner + ".slice/libpod-" + id + ".scope", id},
		{"podman's pod", "/machine.slice/machine-libpod_pod_" + inner + ".slice", ""},
		{"podman in a unit", "/system.slice/web.service/libpod-payload-" + id, id},
		{"podman without systemd", "/libpod_parent/libpod-" + id, id},
		{"podman's monitor", "/machine.slice/libpod-conmon-" + id + ".scope", ""},
		{"CRI-O's monitor", slice + "crio-conmon-" + id + ".scope", ""},
		{"podman's health check", "/system.slice/" + id + "-1f2e3d4c5b6a7988.service", ""},
		{"nerdctl", "/system.slice/nerdctl-" + id + ".scope", id},
		{"containerd, default namespace", "/default/" + id, id},
		{"containerd, ctr", "/default/redis", "redis"},
		{"containerd, another namespace", "/k8s.io/" + id, id},
		{"default elsewhere", "/x/default/redis", ""},
		{"LXC 4", "/lxc.payload.web", "web"},
		{"LXC 4, systemd inside", "/lxc.payload.web/system.slice/ssh.service", "web"},
		{"LXC 4, hyphen and dot", "/lxc.payload.user-1000_a.b", "user-1000_a.b"},
		{"LXC 3", "/lxc.payload/web/init.scope", "web"},
		{"LXC 2", "/lxc/web", "web"},
		{"Proxmox", "/lxc/101/ns/system.slice/postfix.service", "101"},
		{"LXC, docker inside", "/lxc.payload.web/docker/" + id, id},
		{"LXC's monitor", "/lxc.monitor.web", ""},
		{"LXC, no name", "/lxc.payload.", ""},
		{"nspawn", "/machine.slice/machine-web.scope", "web"},
		{"nspawn, its payload", "/machine.slice/machine-web.scope/payload/system.slice/ssh.service", "web"},
		{"nspawn, hyphen", `/machine.slice/machine-my\x2dweb.scope`, "my-web"},
		{"nspawn, bad escapes", `/machine.slice/machine-a\x2\xzz\.scope`, `a\x2\xzz\`},
		{"nspawn as a unit", `/machine.slice/systemd-nspawn@my\x2dweb.service/payload`, "my-web"},
		{"virtual machine", `/machine.slice/machine-qemu\x2d1\x2dweb.scope/libvirt/emulator`, ""},
		{"nspawn with the name of a virtual machine", `/machine.slice/machine-qemu\x2dweb.scope`, "qemu-web"},
		{"root", "/", ""},
		{"unknown", "", ""},
		{"service", "/system.slice/ssh.service", ""},
		{"session", "/user.slice/user-1000.slice/session-2.scope", ""},
		{"run of systemd", "/system.slice/run-r0123456789abcdef0123456789abcdef.scope", ""},
		{"a digit less", "/docker/" + id[1:], ""},
		{"a digit more", "/docker/0" + id, ""},
		{"upper case", "/docker/" + strings.ToUpper(id), ""},
		{"outside of the namespace", "/../docker-" + id + ".scope", id},
		{"hostile", "/lxc.payload.\x1b[31m\n", "\x1b[31m\n"},
	}
	for _, test := range tests {
		if got := containerOf(test.path); got != test.want {
			t.Errorf("%s: %q: got %q, want %q", test.name, test.path, got, test.want)
		}
	}
}

func FuzzContainerOf(f *testing.F) {
	f.Add("/docker/" + strings.Repeat("a", containerID))
	f.Add(`/machine.slice/machine-qemu\x2d1\x2dweb.scope/x`)
	f.Add("/lxc//lxc.payload./default/x//")
	f.Fuzz(func(t *testing.T, path string) {
		got := containerOf(path)
		if strings.Contains(got, "/") && !strings.Contains(path, `\x2f`) && !strings.Contains(path, `\x2F`) {
			t.Errorf("%q: got %q", path, got)
		}
		if again := containerOf(path + "/child.service"); got != "" && again == "" {
			t.Errorf("%q: a child is not in %q", path, got)
		}
	})
}
