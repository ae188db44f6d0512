/* A canned engine: answers every POST with one body and every GET with another, over keep-alive HTTP/1.1.
 *
 *     upstream POST_BODY GET_BODY          listens on a free port of 127.0.0.1 and prints it
 *
 * It reads requests by their content-length and looks no further, so that it never limits what is measured.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#define CAPACITY (1 << 20)

struct connection {
    int fd;
    size_t have;
    char data[CAPACITY];
};

struct response {
    char *bytes;
    size_t size;
};

static void stop(const char *what) {
    perror(what);
    exit(1);
}

static struct response load(const char *path) {
    FILE *file = fopen(path, "rb");
    if (!file) stop(path);
    char *body = malloc(CAPACITY);
    size_t size = fread(body, 1, CAPACITY - 1, file);
    fclose(file);
    struct response out = {malloc(size + 256), 0};
    int head = sprintf(out.bytes,
                       "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ndate: Mon, 12 Oct 2026 08:00:00 GMT\r\n"
                       "server: canned\r\ncontent-length: %zu\r\n\r\n", size);
    memcpy(out.bytes + head, body, size);
    out.size = head + size;
    free(body);
    return out;
}

/* The bytes of the first whole request in the buffer, or 0 when it is not whole yet. */
static size_t whole_request(struct connection *it) {
    it->data[it->have] = 0;
    char *end = memmem(it->data, it->have, "\r\n\r\n", 4);
    if (!end) return 0;
    *end = 0;
    char *length = strcasestr(it->data, "\r\ncontent-length:");
    *end = '\r';
    size_t size = (end - it->data) + 4 + (length ? strtoul(length + 17, NULL, 10) : 0);
    return size <= it->have ? size : 0;
}

/* Answer every whole request in the buffer; false when the connection is to be closed. */
static int answer(struct connection *it, struct response post, struct response get) {
    size_t size;
    while ((size = whole_request(it)) > 0) {
        struct response out = it->data[0] == 'P' ? post : get;
        if (send(it->fd, out.bytes, out.size, MSG_NOSIGNAL) != (ssize_t)out.size) return 0;
        it->have -= size;
        memmove(it->data, it->data + size, it->have);
    }
    return it->have < CAPACITY - 1;
}

int main(int count, char **words) {
    if (count != 3) return fprintf(stderr, "usage: upstream POST_BODY GET_BODY\n"), 2;
    struct response post = load(words[1]), get = load(words[2]);
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof address;
    int on = 1, listening = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    if (bind(listening, (void *)&address, size) || listen(listening, 1024)) stop("listen");
    getsockname(listening, (void *)&address, &size);
    printf("%d\n", ntohs(address.sin_port));
    fflush(stdout);

    int poll = epoll_create1(0);
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = NULL}, events[64];
    epoll_ctl(poll, EPOLL_CTL_ADD, listening, &event);
    for (;;) {
        int ready = epoll_wait(poll, events, 64, -1);
        for (int i = 0; i < ready; i++) {
            struct connection *it = events[i].data.ptr;
            if (!it) {
                int fd = accept4(listening, NULL, NULL, SOCK_NONBLOCK);
                if (fd < 0) continue;
                setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
                it = malloc(sizeof *it);
                it->fd = fd;
                it->have = 0;
                event.data.ptr = it;
                epoll_ctl(poll, EPOLL_CTL_ADD, fd, &event);
                continue;
            }
            ssize_t got = recv(it->fd, it->data + it->have, CAPACITY - 1 - it->have, 0);
            if (got < 0 && errno == EAGAIN) continue;
            if (got > 0) it->have += got;
            if (got <= 0 || !answer(it, post, get)) {
                close(it->fd);
                free(it);
            }
        }
    }
}
