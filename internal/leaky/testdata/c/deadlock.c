// A server with a thread for each connection, of which one waits for a lock that is never free: HOST.
#define _GNU_SOURCE
#include "report.h"
#include <pthread.h>

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

static void *serve(void *arg)
{
	int fd = must(accept(*(int *)arg, NULL, NULL), "accept");
	char head[8];
	must(read(fd, head, sizeof head), "read");
	report_socket(fd);
	pthread_mutex_lock(&lock); // before the rest is read
	close(fd);
	pthread_mutex_unlock(&lock);
	return NULL;
}

int main(int argc, char **argv)
{
	int listener = listen_on(argv[1], 16);
	pthread_t thread;
	pthread_mutex_lock(&lock);
	pthread_create(&thread, NULL, serve, &listener);
	pthread_setname_np(thread, "conn-worker");
	ready(listener);
	await_word();
	pthread_mutex_unlock(&lock);
	pthread_join(thread, NULL);
	say("closed");
	await_word();
}
