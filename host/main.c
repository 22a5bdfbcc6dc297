/* The program's entry; everything is in the library, which the tests link to a pretended enclave. */
#include "host/host.h"

int main(int argc, char **argv)
{
    return host_main(argc, argv);
}
