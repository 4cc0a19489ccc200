// A server that leaks, and has a name to make whoever prints it do things: HOST NAME.
#include "report.h"
#include <sys/prctl.h>

int main(int argc, char **argv)
{
	prctl(PR_SET_NAME, argv[2]);
	int listener = listen_on(argv[1], 16);
	ready(listener);
	int fd = must(accept(listener, NULL, NULL), "accept");
	char request[512];
	while (read(fd, request, sizeof request) > 0)
		;
	report_socket(fd);
	await_word();
	close(fd);
	say("closed");
	await_word();
}
