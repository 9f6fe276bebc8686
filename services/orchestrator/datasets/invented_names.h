// Names nobody bears, put together from pieces: no model can have read about them.  For the
// paper-sized template sets.
#pragma once

#include <string>

#include "services/orchestrator/datasets/random.h"

namespace kvscope::orchestrator {

std::string InventFirstName(Random& random);   // "Gwenovan"
std::string InventLastName(Random& random);    // "Barlwether"
std::string InventTown(Random& random);        // "Tarnbridge"
std::string InventUniversity(Random& random);  // "Royal Tarnbridge University of Marine Sciences"
std::string InventCity(Random& random);        // "New Tarnbridge on the Quillwater"
std::string InventOccupation(Random& random);  // "senior timber inspector"

}  // namespace kvscope::orchestrator
