// Answers requests to the kernels over standard input and output, without Python: so that those of
// other processors run here, in an emulator; see tests/elsewhere.py.
//
// A request is a letter and arrays, an array its size in bytes (int64) and those bytes; the answer
// is arrays. The process begins with the name of the path it was built for, and ends with its
// input.
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <vector>

#include "crf.hpp"
#include "gru.hpp"
#include "lstm.hpp"

#if defined(__aarch64__)
constexpr char kPath[] = "NEON";
#elif defined(__SSE2__)
constexpr char kPath[] = "SSE2";
#else
constexpr char kPath[] = "plain";
#endif

namespace {

using namespace fastner;

[[noreturn]] void fail(const char* what) {
    std::fprintf(stderr, "kernels: %s\n", what);
    std::exit(1);
}

template <class T>
std::vector<T> take() {
    std::int64_t size = 0;
    if (std::fread(&size, sizeof size, 1, stdin) != 1) fail("expected an array");
    std::vector<T> array(static_cast<std::size_t>(size) / sizeof(T));
    const auto bytes = static_cast<std::size_t>(size);
    if (std::fread(array.data(), 1, bytes, stdin) != bytes) fail("expected the rest of an array");
    return array;
}

template <class T>
void put(const std::vector<T>& array) {
    const auto size = static_cast<std::int64_t>(array.size() * sizeof(T));
    std::fwrite(&size, sizeof size, 1, stdout);
    std::fwrite(array.data(), sizeof(T), array.size(), stdout);
}

template <class Cell>
struct Weights {  // of one direction
    std::vector<float> kernel = take<float>(), recurrent = take<float>(), bias = take<float>();
    Cell cell() const { return {kernel.data(), recurrent.data(), bias.data()}; }
};

std::vector<std::unique_ptr<recurrent::Model>> layers;
std::vector<std::unique_ptr<recurrent::Gru>> grus;

std::size_t at(std::int64_t i) { return static_cast<std::size_t>(i); }

void make_layer() {
    const auto sizes = take<std::int64_t>();  // D, H, K, bits
    const Weights<recurrent::Cell> forward, backward;
    const auto kernel = take<float>(), bias = take<float>();
    layers.push_back(std::make_unique<recurrent::Model>(
        forward.cell(), backward.cell(), kernel.data(), bias.data(), sizes[0], sizes[1], sizes[2],
        static_cast<int>(sizes[3]), Isa::portable));
    put<std::int64_t>(
        {static_cast<std::int64_t>(layers.size() - 1), layers.back()->projection_width()});
}

void project() {
    const auto sizes = take<std::int64_t>();  // the layer, U
    const auto features = take<float>();
    const recurrent::Model& model = *layers[at(sizes[0])];
    std::vector<float> rows(at(sizes[1] * model.projection_width()));
    recurrent::project(model, features.data(), sizes[1], rows.data());
    put(rows);
}

void emissions() {
    const auto sizes = take<std::int64_t>();  // the layer, U, T
    const auto rows = take<float>();
    const auto tokens = take<std::int32_t>(), lengths = take<std::int32_t>();
    const recurrent::Model& model = *layers[at(sizes[0])];
    std::vector<float> out(lengths.size() * at(sizes[2] * model.tags));
    recurrent::emissions(model, {rows.data(), tokens.data(), lengths.data(), out.data(), sizes[1],
                                 static_cast<std::int64_t>(tokens.size()),
                                 static_cast<std::int64_t>(lengths.size()), sizes[2]});
    put(out);
}

void make_gru() {
    const auto sizes = take<std::int64_t>();  // A, E, H
    const auto embedding = take<float>();
    const Weights<recurrent::GruCell> forward, backward;
    grus.push_back(std::make_unique<recurrent::Gru>(forward.cell(), backward.cell(),
                                                    embedding.data(), sizes[0], sizes[1], sizes[2],
                                                    Isa::portable));
    put<std::int64_t>({static_cast<std::int64_t>(grus.size() - 1)});
}

void last_states() {
    const auto sizes = take<std::int64_t>();  // the GRU, C
    const auto characters = take<std::int32_t>(), lengths = take<std::int32_t>();
    const recurrent::Gru& gru = *grus[at(sizes[0])];
    std::vector<float> states(lengths.size() * at(2 * gru.hidden));
    recurrent::last_states(gru, {characters.data(), lengths.data(), states.data(),
                                 static_cast<std::int64_t>(lengths.size()), sizes[1]});
    put(states);
}

void decode() {
    const auto sizes = take<std::int64_t>();  // B, T, K
    const auto start = take<float>(), transitions = take<float>(), end = take<float>();
    const auto emissions = take<float>();
    const auto lengths = take<std::int32_t>();
    const crf::Model model(start.data(), transitions.data(), end.data(), static_cast<int>(sizes[2]),
                           Isa::portable);
    const auto row = static_cast<std::ptrdiff_t>(sizes[2] * std::int64_t{sizeof(float)});
    const crf::Batch batch{reinterpret_cast<const char*>(emissions.data()),
                           static_cast<std::ptrdiff_t>(sizes[1]) * row,
                           row,
                           reinterpret_cast<const char*>(lengths.data()),
                           sizeof(std::int32_t),
                           sizes[0],
                           sizes[1]};
    std::vector<std::int32_t> paths(at(sizes[0] * sizes[1]));
    std::vector<double> scores(at(sizes[0]));
    crf::decode(model, batch, reinterpret_cast<char*>(paths.data()),
                static_cast<std::ptrdiff_t>(sizes[1] * std::int64_t{sizeof(std::int32_t)}),
                scores.data());
    put(paths);
    put(scores);
}

}  // namespace

int main() {
    put(std::vector<char>(kPath, kPath + std::strlen(kPath)));
    for (;;) {
        std::fflush(stdout);
        switch (std::getchar()) {
            case 'L': make_layer(); break;
            case 'P': project(); break;
            case 'E': emissions(); break;
            case 'G': make_gru(); break;
            case 'S': last_states(); break;
            case 'V': decode(); break;
            case EOF: return 0;
            default: fail("expected one of L, P, E, G, S, V");
        }
    }
}
