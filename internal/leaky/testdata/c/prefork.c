// A server with a process for each connection, as inetd's: HOST COUNT. The worker does all that it should.
#include "report.h"

static void serve(int fd)
{
	char request[512];
	while (read(fd, request, sizeof request) > 0)
		;
	report_socket(fd);
	close(fd);
	say("served");
	exit(0);
}

int main(int argc, char **argv)
{
	int count = atoi(argv[2]), kept[count];
	int listener = listen_on(argv[1], 16);
	ready(listener);
	for (int i = 0; i < count; i++) {
		kept[i] = must(accept(listener, NULL, NULL), "accept");
		if (must(fork(), "fork") == 0)
			serve(kept[i]);
		// The bug: the master's own descriptor stays open. In the worker it has the same number.
	}
	await_word();
	for (int i = 0; i < count; i++)
		close(kept[i]);
	say("closed");
	await_word();
}
