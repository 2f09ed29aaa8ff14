#pragma once
namespace lumbre { int best_level(); }
