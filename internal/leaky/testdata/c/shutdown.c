// A client that ends its side by shutdown() and waits for an answer without a time limit: HOST PORT.
#include "report.h"

int main(int argc, char **argv)
{
	int fd = connect_to(argv[1], argv[2]);
	must(shutdown(fd, SHUT_WR), "shutdown");
	report_socket(fd);
	ready(-1);
	await_word();
	close(fd);
	say("closed");
	await_word();
}
