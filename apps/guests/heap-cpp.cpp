// heap.h in C++, beside containers, strings and streams, which allocate in their own ways. The seed is the query.
// (Debian's libc++ for WebAssembly is built without files, so there is no <fstream>: they are the C library's.)
#include "heap.h"

#include <algorithm>
#include <iostream>
#include <map>
#include <numeric>
#include <sstream>
#include <string>
#include <vector>

static const char *containers()
{
    std::map<std::string, std::vector<int>> lists;
    for (int i = 0; i < 20000; i++)
        lists["list " + std::to_string(i % 97)].push_back(i);
    long sum = 0;
    for (auto &[name, list] : lists) {
        std::sort(list.rbegin(), list.rend());
        sum += std::accumulate(list.begin(), list.end(), 0L);
    }
    std::ostringstream said;
    said << lists.size() << ' ' << lists["list 5"].size() << ' ' << sum;
    return said.str() == "97 207 199990000" ? nullptr : "containers";
}

int main()
{
    const char *query = std::getenv("QUERY_STRING");
    const char *wrong = heap_check(query ? static_cast<uint32_t>(std::strtoul(query, nullptr, 10)) : 0);
    if (!wrong)
        wrong = containers();
    std::cout << (wrong ? wrong : "whole") << std::endl;
}
