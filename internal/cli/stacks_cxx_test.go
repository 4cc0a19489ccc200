package cli

import (
	"os"
	"path/filepath"
	"testing"
)

const leakCxx = `#include <arpa/inet.h>
#include <sys/socket.h>
#include <unistd.h>
namespace pool {
struct Client {
	__attribute__((noinline)) int open(const sockaddr_in &to) {
		int c = socket(AF_INET, SOCK_STREAM, 0);
		connect(c, (const sockaddr *)&to, sizeof to);
		asm volatile("" ::: "memory");
		return c;
	}
};
}
int main() {
	sockaddr_in to{};
	to.sin_family = AF_INET;
	to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	socklen_t n = sizeof to;
	int l = socket(AF_INET, SOCK_STREAM, 0);
	bind(l, (sockaddr *)&to, n);
	listen(l, 8);
	getsockname(l, (sockaddr *)&to, &n);
	pool::Client client;
	int c = client.open(to);
	close(accept(l, nullptr, nullptr));
	char end;
	return (int)read(c, &end, 1);
}
`

const leakLambda = `#include <arpa/inet.h>
#include <sys/socket.h>
#include <unistd.h>
namespace net { namespace {
template <class Dial> struct Pool {
	Dial dial;
	__attribute__((noinline)) int get(const sockaddr_in &to) { int c = dial(to); asm volatile("" ::: "memory"); return c; }
};
inline auto dialer() {
	return [](const sockaddr_in &to) __attribute__((noinline)) {
		int c = socket(AF_INET, SOCK_STREAM, 0);
		connect(c, (const sockaddr *)&to, sizeof to);
		asm volatile("" ::: "memory");
		return c;
	};
}
} }
int main() {
	sockaddr_in to{};
	to.sin_family = AF_INET;
	to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	socklen_t n = sizeof to;
	int l = socket(AF_INET, SOCK_STREAM, 0);
	bind(l, (sockaddr *)&to, n);
	listen(l, 8);
	getsockname(l, (sockaddr *)&to, &n);
	net::Pool<decltype(net::dialer())> pool{net::dialer()};
	int c = pool.get(to);
	close(accept(l, nullptr, nullptr));
	char end;
	return (int)read(c, &end, 1);
}
`

func TestPrivilegedCallSiteInCxx(t *testing.T) {
	compiler := mustTool(t, "g++", "g++")
	const lambda = "net::(anonymous namespace)::dialer()::{lambda(sockaddr_in const&)#1}"
	for _, tt := range []struct{ name, text, flags, want, caller string }{
		{"member", leakCxx, "-g", "pool::Client::open (leak.cc:8)", "main"},
		{"lambda in a template", leakLambda, "-g", lambda + "::operator() (leak.cc:12)", "net::(anonymous namespace)::Pool<" + lambda + ">::get"},
		{"by symbols alone", leakLambda, "-g0", lambda + "::operator() (leak)", "net::(anonymous namespace)::Pool<" + lambda + ">::get"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			dir := t.TempDir()
			source := filepath.Join(dir, "leak.cc")
			if err := os.WriteFile(source, []byte(tt.text), 0o644); err != nil {
				t.Fatal(err)
			}
			build(t, dir, nil, compiler, "-O2", tt.flags, "-fno-omit-frame-pointer", "-o", "leak", source)
			if f := callSites(t, nil, filepath.Join(dir, "leak")); f.Callsite != tt.want || !f.has(tt.caller) {
				t.Errorf("call site %q, want %q; stack %q", f.Callsite, tt.want, f.functions())
			}
		})
	}
}
