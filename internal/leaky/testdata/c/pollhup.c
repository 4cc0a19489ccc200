// A client that waits with poll() for an answer: HOST PORT. The bug: what poll() reports beside POLLIN is not for closing.
#include "report.h"
#include <poll.h>

int main(int argc, char **argv)
{
	int fd = connect_to(argv[1], argv[2]);
	int local = port_of(fd, getsockname), remote = port_of(fd, getpeername);
	ready(-1);
	struct pollfd watched = {.fd = fd, .events = POLLIN};
	must(poll(&watched, 1, -1), "poll");
	if (watched.revents & (POLLHUP | POLLERR)) {
		watched.fd = -1; // or poll() would not wait any more
		report(fd, local, remote);
	}
	await_word();
	close(fd);
	say("closed");
	await_word();
}
