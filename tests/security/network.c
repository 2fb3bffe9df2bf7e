/* tests/security/network.c - what may be reached, and what may be offered. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/security/attack.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <netinet/in.h>
#include <poll.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#define WAIT_MS 3000

/* Whether something answers there. */
static long reach(const char *address, int port)
{
    struct sockaddr_in to = {.sin_family = AF_INET,
                             .sin_port = htons((uint16_t)port)};
    struct timeval wait = {WAIT_MS / 1000, 0};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    (void)inet_pton(AF_INET, address, &to.sin_addr);
    if (fd < 0)
        return -1;
    (void)setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &wait, sizeof(wait));
    return connect(fd, (struct sockaddr *)&to, sizeof(to));
}

static long metadata(void)
{
    return reach("169.254.169.254", 80);
}
static long private_host(void)
{
    return reach("10.9.8.7", 80);
}

static long loopback(void)
{
    return reach("127.0.0.1", (int)strtol(given("ATTACK_PORT"), NULL, 10));
}

static long public_host(void)
{
    return reach("93.184.216.34", 80);
}

static long metadata_6(void)
{
    struct sockaddr_in6 to = {.sin6_family = AF_INET6, .sin6_port = htons(80)};
    int fd = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);

    (void)inet_pton(AF_INET6, "fd00:ec2::254", &to.sin6_addr);
    return fd < 0 ? -1 : connect(fd, (struct sockaddr *)&to, sizeof(to));
}

/* A question to the name server that the host may have. */
static long name_server(void)
{
    static const char question[] = "\1\2\1\0\0\1\0\0\0\0\0\0\2ok\7example"
                                   "\3net\0\0\1\0\1";
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(53)};
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    struct pollfd wait = {fd, POLLIN, 0};
    char answer[512];

    (void)inet_pton(AF_INET, "127.0.0.53", &to.sin_addr);
    if (fd < 0 || connect(fd, (struct sockaddr *)&to, sizeof(to)) < 0 ||
        send(fd, question, sizeof(question) - 1, 0) < 0)
        return -1;
    if (poll(&wait, 1, WAIT_MS) != 1)
        return held(ETIMEDOUT);
    return recv(fd, answer, sizeof(answer), 0);
}

static long abstract_socket(void)
{
    struct sockaddr_un name = {.sun_family = AF_UNIX};
    const char *word = given("ATTACK_TOKEN");
    size_t len = strlen(word);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    memcpy(name.sun_path + 1, word, len);
    return fd < 0 ? -1
                  : connect(fd, (struct sockaddr *)&name,
                            (socklen_t)(offsetof(struct sockaddr_un, sun_path) +
                                        1 + len));
}

static long socket_names(void)
{
    return try_find("/proc/net/unix", given("ATTACK_TOKEN"));
}

/* Below 1024 is the gateway's. */
static long low_port(void)
{
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_port = htons(809)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    return fd < 0 ? -1 : bind(fd, (struct sockaddr *)&at, sizeof(at));
}

static long raw(void)
{
    return socket(AF_INET, SOCK_RAW | SOCK_CLOEXEC, IPPROTO_ICMP);
}

static long ping(void)
{
    return socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, IPPROTO_ICMP);
}

static long packet(void)
{
    return socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0);
}

static long interface(void)
{
    struct ifreq request = {.ifr_mtu = 40000};
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

    (void)snprintf(request.ifr_name, sizeof(request.ifr_name), "lo");
    return fd < 0 ? -1 : ioctl(fd, SIOCSIFMTU, &request);
}

/* An address of another for the loopback, by netlink. */
static long address(void)
{
    struct {
        struct nlmsghdr head;
        struct ifaddrmsg body;
        struct rtattr attribute;
        struct in_addr value;
    } ask = {
        .head = {.nlmsg_len = sizeof(ask),
                 .nlmsg_type = RTM_NEWADDR,
                 .nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK | NLM_F_CREATE},
        .body = {.ifa_family = AF_INET, .ifa_prefixlen = 32, .ifa_index = 1},
        .attribute = {.rta_len = RTA_LENGTH(4), .rta_type = IFA_LOCAL},
    };
    struct {
        struct nlmsghdr head;
        struct nlmsgerr body;
    } answer = {0};
    int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);

    (void)inet_pton(AF_INET, "10.1.2.3", &ask.value);
    if (fd < 0 || send(fd, &ask, sizeof(ask), 0) < 0 ||
        recv(fd, &answer, sizeof(answer), 0) < 0)
        return -1;
    return answer.body.error ? held(-answer.body.error) : 0;
}

const struct attack attacks_network[] = {
    {"net-metadata", "net", metadata},
    {"net-metadata-v6", "net", metadata_6},
    {"net-private-host", "net", private_host},
    {"net-host-loopback", "net", loopback},
    {"net-public-host", "net", public_host},
    {"net-name-server", "net", name_server},
    {"net-abstract-socket", "net", abstract_socket},
    {"net-socket-names", "net", socket_names},
    {"net-low-port", "root", low_port},
    {"net-raw-socket", "root", raw},
    {"net-ping-socket", "- pings of its own loopback", ping},
    {"net-packet-socket", "root", packet},
    {"net-interface", "root", interface},
    {"net-address", "root", address},
    {NULL, NULL, NULL}};
