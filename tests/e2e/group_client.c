/*
 * group_client PORT GROUPS [plain]: one TLS 1.3 connection that offers these groups ("" for those that OpenSSL offers
 * by itself), one request on it. Says which group was taken and how many bytes of the server's the handshake took;
 * plain: certificates are not to be compressed. Status 1 where there is no connection, 2 where it is used wrongly.
 * Linked with the enclave's own OpenSSL, which knows groups that Debian's does not, and compressed certificates.
 */
#include <arpa/inet.h>
#include <openssl/ssl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int main(int argc, char **argv)
{
    static const char request[] = "GET /healthz HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n";
    bool plain = argc == 4 && strcmp(argv[3], "plain") == 0;
    if (argc != 3 && !plain)
        return 2;
    struct sockaddr_in to = {
        .sin_family = AF_INET, .sin_port = htons((uint16_t)atoi(argv[1])), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    SSL_CTX *context = SSL_CTX_new(TLS_client_method());
    int s = socket(AF_INET, SOCK_STREAM, 0);
    if (!context || (*argv[2] && SSL_CTX_set1_groups_list(context, argv[2]) != 1) ||
        connect(s, (struct sockaddr *)&to, sizeof to) != 0)
        return 2;
    if (plain)
        SSL_CTX_set_options(context, SSL_OP_NO_RX_CERTIFICATE_COMPRESSION);
    SSL *tls = SSL_new(context);
    char answer[64] = "";
    if (!tls || SSL_set_fd(tls, s) != 1)
        return 2;
    if (SSL_connect(tls) != 1)
        return 1;
    uint64_t bytes = BIO_number_read(SSL_get_rbio(tls));
    if (SSL_write(tls, request, sizeof request - 1) <= 0 || SSL_read(tls, answer, sizeof answer - 1) <= 0 ||
        strncmp(answer, "HTTP/1.1 200", 12) != 0)
        return 1;
    printf("%s %lu\n", SSL_get0_group_name(tls), (unsigned long)bytes);
    SSL_free(tls);
    SSL_CTX_free(context);
    close(s);
    return 0;
}
