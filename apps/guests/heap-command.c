/* heap.h in a program with a main. The seed is the query. */
#include "heap.h"

int main(void)
{
    const char *query = getenv("QUERY_STRING"), *wrong = heap_check(query ? (uint32_t)strtoul(query, NULL, 10) : 0);
    printf("%s\n", wrong ? wrong : "whole");
    return 0;
}
