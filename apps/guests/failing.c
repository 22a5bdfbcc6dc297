/*
 * A command that prints and then fails, as its query says: exit=N, trap, loop; big=N prints so many kilobytes first,
 * read reads its input in between, and long complains in a line of more than a thousand bytes.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static long number_of(const char *query, const char *name, long otherwise)
{
    const char *at = strstr(query, name);
    return at ? atol(at + strlen(name)) : otherwise;
}

int main(void)
{
    const char *query = getenv("QUERY_STRING");
    if (!query)
        query = "";
    puts("before the end");
    for (long i = number_of(query, "big=", 0) * 64; i > 0; i--)
        puts("fifteen letters");
    fflush(stdout);
    if (strstr(query, "read"))
        while (getchar() != EOF)
            ;
    if (strstr(query, "long"))
        fprintf(stderr, "%01000d is why\n", 0);
    if (strstr(query, "trap"))
        __builtin_trap();
    while (strstr(query, "loop"))
        ;
    return (int)number_of(query, "exit=", 0);
}
