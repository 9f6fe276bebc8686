// Background: what fills a passage and answers nothing.
#include "services/orchestrator/datasets/paper/relation.h"

namespace kvscope::orchestrator::paper {

const Texts& Scenery() {
  // NOLINTBEGIN(bugprone-suspicious-missing-comma): the long ones take two lines
  static const Texts texts = {
      // 6 to 10 words
      "The {season} had been mild that year",
      "{Nesters} nested under nearly every roof",
      "The post came late or not at all",
      "Nothing much happened before the {season} rains",
      "The river was low, and the mills stood still",
      "{Goods} was cheap, and {goods} was not",
      "In those days {parcels} took weeks to arrive",
      "There was talk of a {building}, but nothing came of it",
      "A stiff wind kept most of the boats at anchor",
      "The {crop} harvest was poor, and tempers were short",
      "Old maps of the region are seldom reliable",
      "Roads were bad, and travellers wrote about little else",
      "The {trees} along the avenue had just been planted",
      "It was a season of fogs and late breakfasts",
      "Coal smoke hung over the {land} until spring",
      "The ferry ran only when the ferryman felt like it",
      "Every household kept a barrel of {drink} by the door",
      "A late frost spoiled the {fruit} and several reputations",
      "The newspapers of the time hardly mention any of this",
      "Such matters were usually settled over {soup}",
      // 11 to 14 words
      "Rain fell for most of that {season}, and the lower paths were flooded",
      "In the evenings people sat on their {seats} and mended whatever was broken",
      "The archive burned during a storm, which is why so many details are missing",
      "Market days drew {vehicles} from the farms, and the inns were full by noon",
      "Anyone who travels there today will find the place much changed",
      "The hills to the north were bare then, and {cattle} grazed on them all summer",
      "Along the quay, barrels of {tar} stood waiting for ships that never came",
      "Prices rose that {season}, and many a workshop closed its shutters for good",
      "The older records are written in a hand that few people can read",
      "{Birds} crossed the sky in long lines, and the children stopped to count them",
      "Some of the windows had been bricked up to save on the tax",
      "There was a school for boys, a school for girls, and a shortage of {shortage}",
      "On clear days one could see as far as the lighthouse and the first islands",
      "The stone for the new {building} had to be brought in on sledges",
      "In good years the {fruit1} presses worked from dawn until long after dark",
      "The clerk who kept the register was fond of blots and abbreviations",
      "Whoever could afford it left the {land} before the snow closed the passes",
      "The baker's oven was the warmest spot in the street and the best informed",
      "Visitors were advised to bring a lantern, dry {clothes} and a good story",
      "A {colour} door at the end of the lane is all that remains of the old customs house",
      // 15 and more
      "As so often in those years, the money had been promised long before anyone knew where it "
      "would come from",
      "The afternoon light came in through tall windows, fell on the long tables and showed every "
      "speck of dust",
      "Some say that the whole affair was decided in a kitchen, between a pot of {food} and an "
      "open window",
      "It would be wrong to think that everyone was pleased, for there were quarrels about noise, "
      "mud and the price of hay",
      "Not far from the old tollhouse, a row of {trees} still marks the line of a ditch that was "
      "filled in long ago",
      "The documents that survive are mostly bills, and they tell us more about {hardware} and "
      "rope "
      "than about the people involved",
      "Until the new road was finished, everything heavy had to come by water, and everything "
      "light was carried on somebody's back",
      "There is a saying in the district that good things arrive on foot and bad things by coach",
      "Many of the stories told about that time contradict each other, and most of them are told "
      "with great confidence",
      "In summer the dust lay so thick on the hedges that the leaves looked grey from one end of "
      "the parish road to the other",
      "The innkeeper liked to claim that nothing important had ever been decided anywhere but "
      "under the crooked beams of the back room",
      "What the weather did not ruin, the mice did, and so hardly a page of the early accounts is "
      "complete",
      "A long dispute over {rights} rights had just come to an end, and nobody could quite "
      "remember "
      "how it had begun",
      "For those who had work the days were long, and for those who had none they were even longer",
      "On the shelf above the stove stood a row of {jars} whose labels had faded beyond all hope "
      "of "
      "reading",
      "When the thaw came, the ice went out with a noise like {vehicles}, and the whole quarter "
      "ran to "
      "the embankment to watch",
      "Even so, the lamps were lit every evening, the steps were swept, and the gate was locked at "
      "the usual hour",
      "Several guidebooks repeat the same mistakes, which suggests that their authors read each "
      "other more often than they travelled",
      "The carpenters complained about the wood, the {workers} about the carpenters, and everybody "
      "about the {food}",
      "It is hard to say today how much of this was planned and how much was simply a matter of "
      "good luck",
      "The first telegraph poles had reached the foot of the pass, where the workmen waited for "
      "better weather",
      "Those who kept bees did well that year, and those who kept accounts did rather worse",
      "An almanac from those days recommends patience, clean {clothes} and a light supper, and its "
      "advice seems to have been taken",
      "Behind the {building} a narrow path climbs to a bench from which the entire valley can be "
      "seen",
      "Most of the {furniture} was sold at auction, and a good part of it is still in use in the "
      "neighbourhood",
      "Nobody thought much of it at the time, which is perhaps the reason why so much has survived",
      "Then as now, the best news travelled by way of the washing place, where everyone had time "
      "and nobody had secrets",
      "The slopes were planted with {fruit1} trees, and in April the whole hillside turned white "
      "within a few days",
      "Where the {building} stands today there used to be a pond on which children skated until "
      "the lamps were lit",
      "It was the custom to leave a chair free at table for anyone who might still be on the road",
  };
  // NOLINTEND(bugprone-suspicious-missing-comma)
  return texts;
}

const std::vector<ScenerySlot>& ScenerySlots() {
  static const std::vector<ScenerySlot> slots = {
      {"{season}", {"winter", "spring", "summer", "autumn"}},
      {"{Birds}", {"Swallows", "Geese", "Starlings", "Herons", "Cranes", "Rooks", "Swifts"}},
      {"{Nesters}", {"Swallows", "Starlings", "Swifts", "Sparrows", "Martins"}},
      {"{Goods}", {"Bread", "Cheese", "Cider", "Cloth", "Firewood", "Salt"}},
      {"{goods}", {"paper", "soap", "sugar", "tea", "coffee", "ink"}},
      {"{parcels}", {"letters", "parcels", "newspapers", "replies", "invitations"}},
      {"{building}", {"theatre", "library", "chapel", "brewery", "warehouse", "dairy", "foundry"}},
      {"{crop}", {"barley", "oat", "hay", "rye", "flax", "potato"}},
      {"{fruit}", {"cherries", "plums", "pears", "apricots", "quinces", "grapes"}},
      {"{fruit1}", {"apple", "pear", "plum", "cherry", "quince", "walnut"}},
      {"{trees}", {"poplars", "limes", "chestnuts", "willows", "elms", "birches"}},
      {"{land}", {"valley", "plain", "marsh", "plateau", "basin"}},
      {"{drink}", {"rainwater", "cider", "vinegar", "beer"}},
      {"{soup}", {"soup", "broth", "cider", "coffee", "cards"}},
      {"{seats}", {"doorsteps", "benches", "stools", "verandas"}},
      {"{vehicles}", {"carts", "wagons", "sledges", "barrows"}},
      {"{cattle}", {"sheep", "goats", "ponies", "oxen"}},
      {"{tar}", {"tar", "herring", "flour", "oil", "pitch"}},
      {"{shortage}", {"chalk", "teachers", "slates", "coal", "benches"}},
      {"{clothes}", {"socks", "boots", "gloves", "stockings", "collars"}},
      {"{colour}", {"blue", "green", "red", "yellow", "brown"}},
      {"{food}", {"lentils", "cabbage", "beans", "porridge", "dumplings"}},
      {"{hardware}", {"nails", "hinges", "lamps", "buckets", "hooks"}},
      {"{rights}", {"grazing", "fishing", "mooring", "logging", "grinding"}},
      {"{workers}", {"masons", "roofers", "plasterers", "glaziers", "smiths"}},
      {"{jars}", {"jars", "tins", "bottles", "boxes"}},
      {"{furniture}", {"furniture", "silver", "linen", "china"}},
  };
  return slots;
}

const Vocabulary& VocabularyOf(Kind subject) {
  static const std::vector<Vocabulary> vocabularies = {
      PersonVocabulary(),   ThingVocabulary(),    OrganizationVocabulary(),
      CreatureVocabulary(), LocationVocabulary(), EventVocabulary()};
  return vocabularies[static_cast<size_t>(subject)];
}

}  // namespace kvscope::orchestrator::paper
