// A client that says that its connection was reset, and goes on without closing it: HOST PORT.
#include "report.h"

int main(int argc, char **argv)
{
	int fd = connect_to(argv[1], argv[2]);
	int local = port_of(fd, getsockname), remote = port_of(fd, getpeername);
	ready(-1);
	char answer[512];
	if (read(fd, answer, sizeof answer) < 0) {
		perror("read"); // the bug: no close(fd)
		report(fd, local, remote);
	}
	await_word();
	close(fd);
	say("closed");
	await_word();
}
