#include "tests/inference/cuda_emulation/race_check.h"

#include <dlfcn.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <memory>
#include <string>
#include <unordered_map>

#include "tests/inference/cuda_emulation/block.h"

namespace kvscope::cuda_emulation {
namespace {

constexpr uintptr_t kWordBytes = 8, kPageWords = 512;
constexpr size_t kRemembered = 8;  // accesses of one word: half of them writes, then reads

struct Access {
  const void* code;
  uint3 block;
  uint64_t barriers, warp_syncs;
  unsigned thread;
  bool write;
  uint8_t bytes;  // of the word, a bit each; 0: no access
};

struct Word {
  std::array<Access, kRemembered> accesses;
  uint8_t next;
};
struct Page {
  uint64_t kernel;  // in which its words were accessed
  std::array<Word, kPageWords> words;
};

uint64_t kernels = 0;

Word& WordAt(uintptr_t number) {
  static auto& pages = *new std::unordered_map<uintptr_t, std::unique_ptr<Page>>;
  static std::array<std::pair<uintptr_t, Page*>, 64> recent;  // by the page number's last bits
  const uintptr_t at = number / kPageWords;
  auto& [page_number, page] = recent[at % recent.size()];
  if (page == nullptr || page_number != at) {
    std::unique_ptr<Page>& found = pages[at];
    if (found == nullptr) found = std::make_unique<Page>();
    page_number = at;
    page = found.get();
  }
  if (page->kernel != kernels) {
    page->kernel = kernels;
    for (Word& word : page->words) word = {};
  }
  return page->words[number % kPageWords];
}

bool SameBlock(const Access& a, const Access& b) {
  return a.block.x == b.block.x && a.block.y == b.block.y && a.block.z == b.block.z;
}

// `before` was made earlier in the emulated run; whether it is so on every device.
bool Ordered(const Access& before, const Access& now) {
  if (!SameBlock(before, now)) return false;
  if (before.thread == now.thread || before.barriers != now.barriers) return true;
  return before.thread / kLanes == now.thread / kLanes && before.warp_syncs != now.warp_syncs;
}

// An address that addr2line takes: of the instruction after the access, within its file.
std::string CodePlace(const void* code) {
  Dl_info info = {};
  dladdr(code, &info);
  char text[32];
  std::snprintf(text, sizeof text, "+0x%zx",
                static_cast<size_t>(static_cast<const char*>(code) -
                                    static_cast<const char*>(info.dli_fbase)));
  return text;
}

void Describe(const Access& before, const Access& now, bool shared) {
  const auto describe = [](const Access& access) {
    return std::string(access.write ? "write" : "read") + " at " + CodePlace(access.code);
  };
  Block::current->Report(std::string("data race on ") + (shared ? "shared" : "global") +
                         " memory: " + describe(now) + " and " + describe(before) + " by thread " +
                         std::to_string(before.thread) +
                         (SameBlock(before, now) ? " of the block" : " of another block"));
}

// Compares with what is remembered of the word and then remembers `now`, in place of what it
// follows: whoever races with that later, races with this too. Reads never push out a write.
void Note(Word& word, const Access& now, bool shared) {
  for (Access& before : word.accesses) {
    if ((before.bytes & now.bytes) == 0) continue;
    if (shared && !SameBlock(before, now)) {  // an earlier block's memory was here
      before.bytes = 0;
      continue;
    }
    const bool ordered = Ordered(before, now);
    if (!ordered && (before.write || now.write)) {
      Describe(before, now, shared);
      Block::current->Abandon();
    }
    if (ordered && (now.write || !before.write) && (before.bytes & ~now.bytes) == 0) {
      before.bytes = 0;
    }
  }
  const auto first = word.accesses.begin() + (now.write ? 0 : kRemembered / 2);
  const auto last = first + kRemembered / 2;
  auto place = std::find_if(first, last, [](const Access& access) { return access.bytes == 0; });
  if (place == last) place = first + word.next++ % (kRemembered / 2);
  *place = now;
}

void NoteRange(const void* address, size_t size_bytes, bool write, const void* code) {
  const Block* block = Block::current;
  if (block == nullptr || block->running_fiber().Holds(address)) return;  // host, or a local
  const Thread& thread = block->running();
  const bool shared = block->InShared(address);
  Access access = {
      code, thread.block, block->barriers(), block->warp(thread.warp()).syncs, thread.index, write,
      0};
  const auto begin = reinterpret_cast<uintptr_t>(address), end = begin + size_bytes;
  for (uintptr_t word = begin / kWordBytes; word * kWordBytes < end; ++word) {
    const uintptr_t first = word * kWordBytes;
    unsigned bytes = 0xff;
    if (first < begin) bytes &= 0xffu << (begin - first);
    if (first + kWordBytes > end) bytes &= 0xffu >> (first + kWordBytes - end);
    access.bytes = static_cast<uint8_t>(bytes);
    Note(WordAt(word), access, shared);
  }
}

}  // namespace

void ForgetAccesses() { ++kernels; }

}  // namespace kvscope::cuda_emulation

// What -fsanitize=thread calls.
using kvscope::cuda_emulation::NoteRange;
extern "C" {
void __tsan_init() {}
void __tsan_func_entry(void*) {}
void __tsan_func_exit() {}
void __tsan_read_range(void* p, size_t n) { NoteRange(p, n, false, __builtin_return_address(0)); }
void __tsan_write_range(void* p, size_t n) { NoteRange(p, n, true, __builtin_return_address(0)); }
#define KVSCOPE_ACCESS_HOOKS(n)                                                                   \
  void __tsan_read##n(void* p) { NoteRange(p, n, false, __builtin_return_address(0)); }           \
  void __tsan_write##n(void* p) { NoteRange(p, n, true, __builtin_return_address(0)); }           \
  void __tsan_unaligned_read##n(void* p) { NoteRange(p, n, false, __builtin_return_address(0)); } \
  void __tsan_unaligned_write##n(void* p) { NoteRange(p, n, true, __builtin_return_address(0)); }
KVSCOPE_ACCESS_HOOKS(1)
KVSCOPE_ACCESS_HOOKS(2)
KVSCOPE_ACCESS_HOOKS(4)
KVSCOPE_ACCESS_HOOKS(8)
KVSCOPE_ACCESS_HOOKS(16)
}
