// How tables and reports tell the models of a sweep apart.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "kvscope/v1/sweep.pb.h"

namespace kvscope::cli {

// The last part of a path: "pocket-llama" of "models/pocket-llama/".
std::string LastName(const std::string& path);

// The models' names in the sweep's order, as rows show them.
std::vector<std::string> ModelsOf(const v1::Sweep& sweep);

// Short names: the last part of each name, or the whole name where two would be called the same.
class ModelLabels {
 public:
  explicit ModelLabels(const std::vector<std::string>& names);
  explicit ModelLabels(const std::vector<v1::Cell>& cells);

  bool several() const { return labels_.size() > 1; }
  const std::string& Of(const std::string& name) const;  // a name of another sweep: itself
  // What one model's part of a data set is called: "hops · pocket-llama"; of one model, "hops".
  std::string Part(const std::string& dataset, const std::string& model) const;

 private:
  std::map<std::string, std::string> labels_;  // by name
};

}  // namespace kvscope::cli
