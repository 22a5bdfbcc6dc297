/* Where the script shows what the JavaScript verifier finds, step by step (script/main.js), and what that is worth. */
#include "enclave/page/internal.h"

void page_steps(struct html *h)
{
    html_put(h,
             "<section aria-labelledby=\"steps-title\" id=\"steps\" data-here=\"\">\n<h2 id=\"steps-title\">Step by "
             "step</h2>\n<p>What a verifier finds, in your browser: the one in JavaScript, which asks this server for "
             "what it shows to everybody. Its code came from this server, too, and <strong>a server that lies could "
             "send one that always agrees</strong>. So this tells you what there is to check, not whom to believe. "
             "The same as a file of yours, <code>check.html</code>, which a build of the source makes, judges "
             "any enclave from outside.</p>\n<p>The code: <a href=\"/_enclave/page.js\">page.js</a>, whose SHA-256 is "
             "<code>");
    html_put(h, page_script_sha256);
    html_put(h, "</code>.</p>\n<p id=\"verdict\" role=\"status\">This needs JavaScript. The facts above do "
                "not.</p>\n</section>\n");
}
