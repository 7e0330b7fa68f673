/* tlsload - the load client of bench/tls.py
 *
 *   tlsload fetch   PORT CONNECTIONS SECONDS FORMAT COUNT
 *   tlsload each    PORT CONNECTIONS SECONDS FORMAT COUNT
 *   tlsload unknown PORT CONNECTIONS SECONDS FORMAT COUNT
 *
 * Keeps so many connections to 127.0.0.1 going for so many seconds. FORMAT is a printf format of server names with one
 * integer, of which COUNT are asked for at random. `fetch`: TCP, a full TLS handshake (1.3 where the server has it), one
 * GET of the policy, its answer, close. `each`: the same for every name in turn, once, then ends; SECONDS bounds it.
 * `unknown`: TCP, a ClientHello, and an alert of seven octets is what is expected.
 * Prints: done N seconds S p50 US p99 US max US bad N. Connections come from 127.0.1.1 to 127.0.1.200 in turn.
 *
 * A client that costs more than the server would be full first. So what a client needs for its safety and a server never
 * does is left out: chains and signatures are not verified, certificates not decoded. The functions of libcrypto for it
 * are defined here in front of the library's own. For measuring alone.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>

#ifndef IP_BIND_ADDRESS_NO_PORT
#define IP_BIND_ADDRESS_NO_PORT 24
#endif

enum { LONGEST_US = 1000000, SOURCES = 200, HELLO_MAX = 2048 };

static EVP_PKEY *stand_in;

int EVP_DigestVerify(EVP_MD_CTX *c, const unsigned char *sig, size_t n, const unsigned char *tbs, size_t m)
{
    (void)c, (void)sig, (void)n, (void)tbs, (void)m;
    return 1;
}

int EVP_DigestVerifyInit_ex(EVP_MD_CTX *c, EVP_PKEY_CTX **p, const char *md, OSSL_LIB_CTX *lib, const char *props,
                            EVP_PKEY *key, const OSSL_PARAM params[])
{
    (void)c, (void)p, (void)md, (void)lib, (void)props, (void)key, (void)params;
    return 1;
}

EVP_PKEY *X509_get0_pubkey(const X509 *x)
{
    (void)x;
    return stand_in;
}

X509 *d2i_X509(X509 **x, const unsigned char **in, long length)
{
    *in += length;
    return *x;
}

static int trusting(X509_STORE_CTX *c, void *arg)
{
    (void)c, (void)arg;
    return 1;
}

struct connection {
    int fd, talking;
    size_t have;
    uint64_t since;
    SSL *tls;
    char host[256];
    char answer[65536];
};

static struct {
    int port, count, epoll, unknown, each, next;
    const char *format;
    SSL_CTX *context;
    uint64_t counted_from, done, bad, longest;
    uint32_t *histogram;
    unsigned char hello[HELLO_MAX];
    int hello_length;
} run;

static uint64_t now_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static uint64_t dice(void)
{
    static uint64_t state = 88172645463325252u;
    state ^= state << 13, state ^= state >> 7, state ^= state << 17;
    return state;
}

static void fail(const char *what)
{
    perror(what);
    exit(1);
}

static int dial(void)
{
    static unsigned source;
    int one = 1, fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    struct sockaddr_in from = {.sin_family = AF_INET}, to = {.sin_family = AF_INET};

    if (fd < 0)
        fail("socket");
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &one, sizeof one);
    source = source % SOURCES + 1;
    from.sin_addr.s_addr = htonl(0x7f000100u + source);
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    to.sin_port = htons((uint16_t)run.port);
    if (bind(fd, (struct sockaddr *)&from, sizeof from))
        fail("bind");
    if (connect(fd, (struct sockaddr *)&to, sizeof to) && errno != EINPROGRESS)
        fail("connect");
    return fd;
}

static void begin(struct connection *c)
{
    struct epoll_event event = {.events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET, .data.ptr = c};

    c->since = now_ns();
    c->fd = dial();
    c->talking = 0;
    c->have = 0;
    snprintf(c->host, sizeof c->host, run.format, run.each ? run.next++ % run.count : (int)(dice() % (uint64_t)run.count));
    if (!run.unknown) {
        c->tls = SSL_new(run.context);
        SSL_set_fd(c->tls, c->fd);
        SSL_set_tlsext_host_name(c->tls, c->host);
        SSL_set_connect_state(c->tls);
    }
    if (epoll_ctl(run.epoll, EPOLL_CTL_ADD, c->fd, &event))
        fail("epoll_ctl");
}

static void finish(struct connection *c, int good)
{
    uint64_t now = now_ns(), took = (now - c->since) / 1000;

    if (now > run.counted_from) {
        run.done += (uint64_t)good;
        run.bad += (uint64_t)!good;
        if (good)
            run.histogram[took < LONGEST_US ? took : LONGEST_US - 1]++;
        if (good && took > run.longest)
            run.longest = took;
    }
    if (c->tls) {
        SSL_shutdown(c->tls);
        SSL_free(c->tls);
        c->tls = NULL;
    }
    close(c->fd);
    ERR_clear_error();
    begin(c);
}

/* Whether a read or write that failed waits for the other side. */
static int waits(SSL *tls, int result)
{
    int error = SSL_get_error(tls, result);
    return error == SSL_ERROR_WANT_READ || error == SSL_ERROR_WANT_WRITE;
}

static int is_whole(const struct connection *c)
{
    const char *end = strstr(c->answer, "\r\n\r\n"), *length = strcasestr(c->answer, "\r\nContent-Length:");
    return end && length && c->have >= (size_t)(end + 4 - c->answer) + (size_t)atol(length + 17);
}

static int is_policy(const struct connection *c)
{
    return !strncmp(c->answer, "HTTP/1.1 200", 12) && strstr(c->answer, "\r\n\r\nversion: STSv1");
}

static void step_fetch(struct connection *c)
{
    char request[600];
    int r;

    if (!c->talking) {
        r = SSL_do_handshake(c->tls);
        if (r != 1) {
            if (!waits(c->tls, r))
                finish(c, 0);
            return;
        }
        r = snprintf(request, sizeof request,
                     "GET /.well-known/mta-sts.txt HTTP/1.1\r\nHost: %s\r\nUser-Agent: tlsload\r\nAccept: */*\r\n"
                     "Connection: close\r\n\r\n", c->host);
        SSL_write(c->tls, request, r);
        c->talking = 1;
    }
    while ((r = SSL_read(c->tls, c->answer + c->have, (int)(sizeof c->answer - 1 - c->have))) > 0) {
        c->have += (size_t)r;
        c->answer[c->have] = 0;
        if (is_whole(c)) {
            finish(c, is_policy(c));
            return;
        }
    }
    if (!waits(c->tls, r))
        finish(c, 0);
}

static void step_unknown(struct connection *c, uint32_t events)
{
    static const char alert[] = {0x15, 3, 3, 0, 2, 2, 0x70};
    ssize_t r;

    if (!c->talking && (events & EPOLLOUT)) {
        if (write(c->fd, run.hello, (size_t)run.hello_length) != run.hello_length) {
            finish(c, 0);
            return;
        }
        c->talking = 1;
    }
    r = read(c->fd, c->answer, sizeof c->answer);
    if (r >= 0 || (errno != EAGAIN && errno != EINPROGRESS && errno != ENOTCONN))
        finish(c, r == sizeof alert && !memcmp(c->answer, alert, sizeof alert));
}

/* One hello for all: what the server does with it is the same. */
static void make_hello(void)
{
    SSL *tls = SSL_new(run.context);
    BIO *out = BIO_new(BIO_s_mem());
    char host[256];

    snprintf(host, sizeof host, run.format, 0);
    SSL_set_tlsext_host_name(tls, host);
    SSL_set_bio(tls, BIO_new(BIO_s_mem()), out);
    SSL_connect(tls);
    run.hello_length = BIO_read(out, run.hello, HELLO_MAX);
    SSL_free(tls);
    ERR_clear_error();
}

static SSL_CTX *client(void)
{
    SSL_CTX *context = SSL_CTX_new(TLS_client_method());

    stand_in = EVP_EC_gen("P-256");
    SSL_CTX_set_verify(context, SSL_VERIFY_NONE, NULL);
    SSL_CTX_set_cert_verify_callback(context, trusting, NULL);
    SSL_CTX_set1_groups_list(context, "X25519");
    SSL_CTX_set_ciphersuites(context, "TLS_AES_128_GCM_SHA256");
    SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
    return context;
}

static uint64_t quantile(double part)
{
    uint64_t seen = 0, at;

    for (at = 0; at < LONGEST_US - 1; at++) {
        seen += run.histogram[at];
        if ((double)seen >= part * (double)run.done)
            break;
    }
    return at;
}

int main(int argc, char **argv)
{
    struct epoll_event events[256];
    struct connection *all;
    double seconds, took;
    uint64_t end;
    int i, n, connections;

    if (argc != 7 || (strcmp(argv[1], "fetch") && strcmp(argv[1], "each") && strcmp(argv[1], "unknown"))) {
        fprintf(stderr, "usage: tlsload fetch|each|unknown PORT CONNECTIONS SECONDS FORMAT COUNT\n");
        return 2;
    }
    run.unknown = !strcmp(argv[1], "unknown");
    run.each = !strcmp(argv[1], "each");
    run.port = atoi(argv[2]);
    connections = atoi(argv[3]);
    seconds = atof(argv[4]);
    run.format = argv[5];
    run.count = atoi(argv[6]);
    run.histogram = calloc(LONGEST_US, sizeof *run.histogram);
    run.context = client();
    run.epoll = epoll_create1(0);
    make_hello();
    all = calloc((size_t)connections, sizeof *all);
    run.counted_from = now_ns();
    end = run.counted_from + (uint64_t)(seconds * 1e9);
    for (i = 0; i < connections; i++)
        begin(&all[i]);
    while (now_ns() < end && !(run.each && run.done + run.bad >= (uint64_t)run.count)) {
        n = epoll_wait(run.epoll, events, 256, 100);
        for (i = 0; i < n; i++) {
            if (run.unknown)
                step_unknown(events[i].data.ptr, events[i].events);
            else
                step_fetch(events[i].data.ptr);
        }
    }
    took = (double)(now_ns() - run.counted_from) / 1e9;
    printf("done %lu seconds %.3f p50 %lu p99 %lu max %lu bad %lu\n", run.done, took, quantile(0.5), quantile(0.99),
           run.longest, run.bad);
    return 0;
}
