// A URL of the rules as it may be shown in messages and listings: who logs in there and the query, where keys often stand, as ***.
#pragma once

#include <string>
#include <string_view>

namespace belay {

// Takes any text; what does not begin like a URL ("https://…", "unix:…") loses only what stands before an '@' behind "://".
std::string masked_url(std::string_view text);

}  // namespace belay
