// A server that starts a program while a connection is open: HOST keep|close. The bug: accept() without SOCK_CLOEXEC, so
// that the program inherits the connection. With "close" the server itself does all that it should.
#include "report.h"

int main(int argc, char **argv)
{
	int listener = listen_on(argv[1], 16);
	ready(listener);
	int fd = must(accept(listener, NULL, NULL), "accept");
	FILE *log = popen("exec cat >/dev/null", "w");
	report_socket(fd);
	char request[512];
	while (read(fd, request, sizeof request) > 0)
		fputs("request\n", log);
	int keep = strcmp(argv[2], "keep") == 0;
	if (!keep)
		close(fd);
	say("served");
	await_word();
	if (keep)
		close(fd);
	pclose(log);
	say("closed");
	await_word();
}
