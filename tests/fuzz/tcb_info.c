/* TCB info. See verifier_document.h. */
#include "tests/fuzz/verifier_document.h"

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    (void)argc, (void)argv;
    return document_start(VERIFIER_TCB_INFO, "tcbInfo");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    document_one(VERIFIER_TCB_INFO, "tcbInfo", data, size);
    return 0;
}
