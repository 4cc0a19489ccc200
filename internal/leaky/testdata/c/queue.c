// A server that listens and never calls accept(): HOST BACKLOG.
#include "report.h"

int main(int argc, char **argv)
{
	int listener = listen_on(argv[1], atoi(argv[2]));
	ready(listener);
	await_word();
	close(listener);
	say("closed");
	await_word();
}
