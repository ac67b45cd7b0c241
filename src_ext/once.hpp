// Arguments that another thread, or the output of the call itself, may overwrite during the call.
//
// Numbers that are indices or counts are read once, into a copy, and the copy is what is checked
// and used. Values (scores, features) are read where they stand: whatever they are, nothing leaves
// its array.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace fastner {

// volatile: a compiler may otherwise read an array again instead of keeping what it read.
template <class Number>
Number read_once(const Number& number) {
    return *static_cast<const volatile Number*>(&number);
}

// `count` numbers that lie `stride` bytes apart.
inline void copy_once(const void* numbers, std::ptrdiff_t stride, std::int64_t count,
                      std::vector<std::int32_t>& to) {
    to.resize(static_cast<std::size_t>(count));
    const auto* at = static_cast<const char*>(numbers);
    for (std::int32_t& number : to) {
        number = read_once(*reinterpret_cast<const std::int32_t*>(at));
        at += stride;
    }
}
inline std::vector<std::int32_t> copied_once(
    const void* numbers, std::int64_t count,
    std::ptrdiff_t stride = static_cast<std::ptrdiff_t>(sizeof(std::int32_t))) {
    std::vector<std::int32_t> copy;
    copy_once(numbers, stride, count, copy);
    return copy;
}

}  // namespace fastner
