// The tree of a parsed template.
#pragma once

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "services/inference/tokenizer/jinja_value.h"

namespace kvscope::inference::jinja {

struct Expr;
using ExprPtr = std::unique_ptr<Expr>;

struct Expr {
  enum Kind {
    kLiteral,    // literal
    kName,       // name
    kList,       // children
    kTuple,      // children
    kDict,       // children: key, value, key, value, ...
    kAttribute,  // children[0] . name
    kSubscript,  // children[0] [ children[1] ]
    kSlice,      // children[0] [ children[1] : children[2] : children[3] ], each but 0 may be null
    kCall,       // children[0] ( children[1..], named )
    kFilter,     // children[0] | name ( children[1..], named )
    kTest,       // children[0] is name ( children[1..], named )
    kUnary,      // name: - + not
    kBinary,     // name: + - * / // % ** ~ and or
    kCompare,    // children[0] operators[0] children[1] operators[1] children[2] ...
    kConditional,  // children[0] if children[1] else children[2] (may be null)
  };
  Kind kind = kLiteral;
  int line = 0;
  int height = 1;  // of this subtree; the parser bounds it
  std::string name;
  Value literal;
  std::vector<ExprPtr> children;
  std::vector<std::pair<std::string, ExprPtr>> named;
  std::vector<std::string> operators;
};

struct Statement;
using Block = std::vector<Statement>;

// A name, an attribute of a namespace, or a tuple of targets.
struct Target {
  std::string name;
  std::string attribute;      // set: name.attribute
  std::vector<Target> parts;  // not empty: unpack
};

struct Parameter {
  std::string name;
  ExprPtr default_value;  // may be null
};

struct Statement {
  enum Kind {
    kText,      // text
    kPrint,     // expr
    kIf,        // branches; body is the else branch
    kFor,       // target in expr, filter (may be null); body; else_body
    kSet,       // target = expr
    kSetBlock,  // target = what body prints
    kMacro,     // text (name), parameters, body
    kBlock,     // body, printed as it stands (generation)
    kBreak,
    kContinue,
  };
  Kind kind = kText;
  int line = 0;
  std::string text;
  ExprPtr expr;
  ExprPtr filter;
  Target target;
  std::vector<std::pair<ExprPtr, Block>> branches;
  std::vector<Parameter> parameters;
  Block body;
  Block else_body;
};

struct Template {
  Block body;
};

}  // namespace kvscope::inference::jinja
