/*
 * A program that knows nothing of HTTP: it adds the numbers on its input and prints the sum. Deployed, it answers
 * requests: the numbers are the body, and what it prints is the answer. With -v it says what it was asked, and with -k
 * it keeps a running total in a file of its own.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *variable(const char *name)
{
    const char *value = getenv(name);
    return value ? value : "";
}

static int complain(const char *what)
{
    fprintf(stderr, "%s: %s\n", what, strerror(errno));
    return 1;
}

static int keep(double sum)
{
    double total = 0;
    FILE *file = fopen("/total", "r");
    if (!file && errno != ENOENT)
        return complain("/total");
    if (file && fscanf(file, "%lf", &total) != 1)
        return complain("/total: no number");
    if (file)
        fclose(file);
    file = fopen("/total", "w");
    if (!file || fprintf(file, "%.17g\n", total + sum) < 0 || fclose(file) != 0)
        return complain("/total");
    printf("%.17g\n", total + sum);
    return 0;
}

int main(int argc, char **argv)
{
    double sum = 0, number;
    int got;
    while ((got = scanf("%lf", &number)) == 1)
        sum += number;
    if (ferror(stdin)) /* half of the numbers have another sum */
        return complain("the input broke off");
    if (got != EOF) {
        fprintf(stderr, "%s: not a number\n", argv[0]);
        return 1;
    }
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "-v") == 0)
            printf("%s %s %s %s\n", variable("REQUEST_METHOD"), variable("PATH_INFO"), variable("QUERY_STRING"),
                   variable("GREETING"));
        if (strcmp(argv[i], "-k") == 0)
            return keep(sum);
    }
    printf("%.17g\n", sum);
    return 0;
}
