/* What the page shows at most. Bytes unless said otherwise. */
#ifndef ENCLAVE_OS_ENCLAVE_PAGE_LIMITS_H
#define ENCLAVE_OS_ENCLAVE_PAGE_LIMITS_H

#define PAGE_SIZE_MAX (1u << 20)
#define PAGE_APPS_MAX 200u /* that are listed; of more, how many there are */
#define PAGE_TEXT_MAX 400u /* of what somebody has chosen, in one place */
#define PAGE_ENTRIES_MAX 20u

#endif
