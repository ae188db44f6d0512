/* A load generator: sends one request over and over and says how long the answers took.
 *
 *     load PORT PATH BODY MARKER CONNECTIONS RATE SECONDS REQUESTS
 *
 * RATE 0 is a closed loop: every connection sends its next request when it has its answer. Otherwise RATE requests a second
 * leave at even intervals, on whichever connection is idle; their latency counts from the moment at which they were due,
 * so a slow server cannot hide its queue. It ends after SECONDS, or after REQUESTS answers if that is not 0.
 *
 * An answer counts when its status is 200 and its body contains MARKER; anything else is an error. A run of # in BODY is
 * replaced by a number that grows with every request, so that no answer can come from a cache. Prints one line of JSON.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <math.h>
#include <netinet/tcp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#define CAPACITY (1 << 20)

struct connection {
    int fd;
    int busy;
    int64_t due;
    size_t have;
    char data[CAPACITY];
};

static int port, poll_fd;
static char *request, *counter;
static size_t request_size, counter_size;
static const char *marker;
static unsigned long sent, errors;
static int64_t *took;
static size_t answers, room;

static void stop(const char *what) {
    perror(what);
    exit(1);
}

static int64_t now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * 1000000000LL + t.tv_nsec;
}

static void prepare(const char *path, const char *file_name) {
    FILE *file = fopen(file_name, "rb");
    if (!file) stop(file_name);
    char *body = malloc(CAPACITY);
    size_t size = fread(body, 1, CAPACITY, file);
    fclose(file);
    request = malloc(size + 1024);
    int head = sprintf(request,
                       "POST %s HTTP/1.1\r\nhost: 127.0.0.1:%d\r\ncontent-type: application/json\r\n"
                       "authorization: Bearer none\r\ncontent-length: %zu\r\n\r\n", path, port, size);
    memcpy(request + head, body, size);
    request_size = head + size;
    counter = memmem(request, request_size, "####", 4);
    while (counter && counter + counter_size < request + request_size && counter[counter_size] == '#') counter_size++;
    free(body);
}

static void dial(struct connection *it) {
    struct sockaddr_in address = {
        .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK), .sin_port = htons(port)};
    int on = 1;
    it->fd = socket(AF_INET, SOCK_STREAM, 0);
    it->have = 0;
    it->busy = 0;
    if (connect(it->fd, (void *)&address, sizeof address)) stop("connect");
    setsockopt(it->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = it};
    epoll_ctl(poll_fd, EPOLL_CTL_ADD, it->fd, &event);
}

static void ask(struct connection *it, int64_t due) {
    unsigned long number = sent++;
    for (size_t i = counter_size; i > 0; i--, number /= 10) counter[i - 1] = '0' + number % 10;
    it->due = due;
    it->busy = 1;
    it->have = 0;
    if (send(it->fd, request, request_size, MSG_NOSIGNAL) != (ssize_t)request_size) {
        errors++;
        close(it->fd);
        dial(it);
    }
}

/* Whether the buffer holds a whole response, with its length given or in chunks. */
static int whole(struct connection *it) {
    char *end = memmem(it->data, it->have, "\r\n\r\n", 4);
    if (!end) return 0;
    *end = 0;
    char *length = strcasestr(it->data, "\r\ncontent-length:");
    int chunked = strcasestr(it->data, "\r\ntransfer-encoding: chunked") != NULL;
    *end = '\r';
    if (chunked) return it->have >= 5 && !memcmp(it->data + it->have - 5, "0\r\n\r\n", 5);
    return it->have >= (end - it->data) + 4 + (length ? strtoul(length + 17, NULL, 10) : 0);
}

static void take(struct connection *it, int64_t at) {
    if (it->have < 12 || memcmp(it->data + 9, "200", 3) || !memmem(it->data, it->have, marker, strlen(marker))) {
        if (!errors++) fprintf(stderr, "%.*s\n", (int)(it->have < 2000 ? it->have : 2000), it->data);
    }
    if (answers == room) took = realloc(took, (room = room ? room * 2 : 65536) * sizeof *took);
    took[answers++] = at - it->due;
    it->busy = 0;
}

static int by_size(const void *a, const void *b) {
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

static double millis(double share) {
    if (!answers) return 0;
    size_t at = (size_t)ceil(share * answers);
    return took[at > 0 ? at - 1 : 0] / 1e6;
}

int main(int count, char **words) {
    if (count != 9) return fprintf(stderr, "usage: load PORT PATH BODY MARKER CONNECTIONS RATE SECONDS REQUESTS\n"), 2;
    port = atoi(words[1]);
    marker = words[4];
    prepare(words[2], words[3]);
    int connections = atoi(words[5]);
    double rate = atof(words[6]), seconds = atof(words[7]);
    size_t enough = strtoul(words[8], NULL, 10);
    prctl(PR_SET_TIMERSLACK, 1);
    poll_fd = epoll_create1(0);
    struct connection *all = calloc(connections, sizeof *all);
    for (int i = 0; i < connections; i++) dial(&all[i]);

    int64_t begun = now(), end = begun + (int64_t)(seconds * 1e9), at = begun;
    int64_t step = rate > 0 ? (int64_t)(1e9 / rate) : 0, due = begun + step;
    int timer = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK);
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = NULL}, events[64];
    epoll_ctl(poll_fd, EPOLL_CTL_ADD, timer, &event);
    if (rate <= 0)
        for (int i = 0; i < connections; i++) ask(&all[i], now());

    while (at < end && !(enough && answers >= enough)) {
        int64_t wake = rate > 0 && due < end ? due : end;
        struct itimerspec alarm = {.it_value = {wake / 1000000000, wake % 1000000000}};
        timerfd_settime(timer, TFD_TIMER_ABSTIME, &alarm, NULL);
        int ready = epoll_wait(poll_fd, events, 64, -1);
        at = now();
        for (int i = 0; i < ready; i++) {
            struct connection *it = events[i].data.ptr;
            uint64_t ticks;
            if (!it) {
                if (read(timer, &ticks, sizeof ticks) < 0 && errno != EAGAIN) stop("timer");
                continue;
            }
            ssize_t got = recv(it->fd, it->data + it->have, CAPACITY - it->have, 0);
            if (got <= 0) {
                if (it->busy) errors++;
                close(it->fd);
                dial(it);
                if (rate <= 0) ask(it, now());
                continue;
            }
            it->have += got;
            if (!it->busy || !whole(it)) continue;
            at = now();
            take(it, at);
            if (rate <= 0) ask(it, at);
        }
        for (int i = 0; rate > 0 && i < connections && due <= at; i++) {
            if (all[i].busy) continue;
            ask(&all[i], due);
            due += step;
        }
    }
    double spent = (now() - begun) / 1e9, sum = 0;
    for (size_t i = 0; i < answers; i++) sum += took[i] / 1e6;
    qsort(took, answers, sizeof *took, by_size);
    printf("{\"answers\": %zu, \"errors\": %lu, \"seconds\": %.6f, \"mean_ms\": %.6f, \"p50_ms\": %.6f, "
           "\"p99_ms\": %.6f, \"max_ms\": %.6f}\n",
           answers, errors, spent, answers ? sum / answers : 0, millis(0.50), millis(0.99), millis(1.0));
    return 0;
}
