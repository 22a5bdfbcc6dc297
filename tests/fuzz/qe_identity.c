/* QE identity. See verifier_document.h. */
#include "tests/fuzz/verifier_document.h"

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    (void)argc, (void)argv;
    return document_start(VERIFIER_QE_IDENTITY, "enclaveIdentity");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    document_one(VERIFIER_QE_IDENTITY, "enclaveIdentity", data, size);
    return 0;
}
