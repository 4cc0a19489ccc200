// A server that sends as long as the peer takes something: HOST. The bug: no time limit for when it takes nothing more.
#include "report.h"
#include <fcntl.h>

int main(int argc, char **argv)
{
	int listener = listen_on(argv[1], 16);
	ready(listener);
	int fd = must(accept(listener, NULL, NULL), "accept");
	fcntl(fd, F_SETFL, O_NONBLOCK);
	static const char tick[4096];
	while (write(fd, tick, sizeof tick) > 0 || errno != EAGAIN)
		;
	report_socket(fd);
	await_word();
	close(fd);
	say("closed");
	await_word();
}
