/* The program's entry: the doctor, or the server, which is in a library that the tests link to a pretended enclave. */
#include <string.h>

#include "host/doctor.h"
#include "host/host.h"

int main(int argc, char **argv)
{
    if (argc >= 2 && strcmp(argv[1], "doctor") == 0)
        return doctor_main(argc - 1, argv + 1);
    return host_main(argc, argv);
}
