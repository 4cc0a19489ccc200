// What the programs have in common: the dull part of a network program, and what they tell the test on stdout. A line is
// a word with what belongs to it, or a JSON object about one socket.
#pragma once
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static inline int must(int result, const char *what)
{
	if (result < 0) {
		perror(what);
		exit(1);
	}
	return result;
}

static inline struct sockaddr_in address(const char *host, const char *port)
{
	struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons(atoi(port))};
	inet_pton(AF_INET, host, &a.sin_addr);
	return a;
}

static inline int port_of(int fd, int (*get)(int, struct sockaddr *, socklen_t *))
{
	struct sockaddr_in a = {0};
	socklen_t size = sizeof a;
	get(fd, (struct sockaddr *)&a, &size);
	return ntohs(a.sin_port);
}

static inline void say(const char *word)
{
	puts(word);
	fflush(stdout);
}

// Says which descriptor of which process will not be closed.
static inline void report(int fd, int local, int remote)
{
	printf("{\"pid\":%d,\"fd\":%d,\"lport\":%d,\"rport\":%d}\n", getpid(), fd, local, remote);
	fflush(stdout);
}

static inline void report_socket(int fd)
{
	report(fd, port_of(fd, getsockname), port_of(fd, getpeername));
}

static inline int listen_on(const char *host, int backlog)
{
	struct sockaddr_in a = address(host, "0");
	int fd = must(socket(AF_INET, SOCK_STREAM, 0), "socket");
	must(bind(fd, (struct sockaddr *)&a, sizeof a), "bind");
	must(listen(fd, backlog), "listen");
	return fd;
}

static inline int connect_to(const char *host, const char *port)
{
	struct sockaddr_in a = address(host, port);
	int fd = must(socket(AF_INET, SOCK_STREAM, 0), "socket");
	must(connect(fd, (struct sockaddr *)&a, sizeof a), "connect");
	return fd;
}

static inline void ready(int listener)
{
	printf("ready %d\n", listener < 0 ? 0 : port_of(listener, getsockname));
	fflush(stdout);
}

// Waits until the test says something; its end is the end of the program.
static inline void await_word(void)
{
	char line[64];
	if (!fgets(line, sizeof line, stdin))
		exit(0);
}
