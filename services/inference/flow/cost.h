// What a piece of the evaluation cost, as plain numbers for those who watch.
#pragma once

#include <cstdint>

namespace kvscope::inference {

// Products with weights: projections, MLP and logits. Attention is not among them.
struct ProductCost {
  int64_t operations = 0;    // a multiplication and an addition are two
  int64_t weights_read = 0;  // elements; those of a layer anew for each product with it

  friend ProductCost operator-(const ProductCost& a, const ProductCost& b) {
    return {a.operations - b.operations, a.weights_read - b.weights_read};
  }
};

// Of one context. Scoring runs beside prefill on a thread of its own, so that its time is not to be
// added to the other two.
struct PassageCost {
  double prefill_seconds = 0;
  double score_seconds = 0;  // scorers, and cutting keep sets
  double decode_seconds = 0;
  ProductCost prefill, decode;
  int64_t answer_tokens = 0;  // generated; equal keep sets are decoded once
};

}  // namespace kvscope::inference
