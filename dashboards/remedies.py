"""From a code that Kernel gives to what a person can do about it."""

ERRORS = {
    "credentials_invalid": "The site refused the credentials. Correct the stored credential, then log in again.",
    "mfa_required": "A second factor is asked for. Store its TOTP secret with the credential, or log in by hand.",
    "external_action_required": "A push, key or mail link is asked for. Log in by hand, or choose another way to sign in.",
    "unsupported_auth_method": "The site offers only a way that cannot be automated, such as a passkey. Enable another one there.",
    "bot_detected": "The site blocked the browser as automation. Try stealth mode or another proxy.",
    "captcha_blocked": "A CAPTCHA was not solved. Try stealth mode or another proxy, or log in by hand.",
    "login_form_not_found": "No login form on the page. Check the connection's login URL.",
    "element_not_found": "The page lacks what was there before. Log in by hand once, so that the way is learnt anew.",
    "navigation_confused": "The page was not understood. Check the login URL, then log in by hand once.",
    "stuck_in_loop": "The login went in circles. Log in by hand once, and look at its recording.",
    "max_attempts_reached": "Too many tries. Check the credential, wait for the site's lock to end, log in again.",
    "max_steps_exceeded": "Too many steps. Log in by hand once, and look at its recording.",
    "domain_not_allowed": "A redirect left the allowed domains. Add the sign-in domain to the connection.",
    "website_error": "The site showed an error. Try again later.",
    "network_error": "The site was not reached: DNS, connection or proxy. Check the proxy.",
    "browser_error": "The browser failed. Try again; if it stays, ask Kernel's support.",
    "awaiting_input_timeout": "Nobody answered in time. Start a login and stay with it.",
    "external_action_timeout": "Nobody confirmed in time. Start a login and confirm it.",
    "session_expired": "The login ran out of time. Start another.",
    "no_active_flow": "Something was sent when no login ran. Start a login first.",
    "flow_failed": "Not classified. Look at the login's recording.",
    "internal_error": "Kernel's fault. Try again; if it stays, ask Kernel's support.",
    "other": "A code that this exporter does not know. Look at the connection in Kernel's dashboard.",
}

REASONS = {
    "no_prior_successful_login": "Never logged in. Do the first login by hand.",
    "no_credential": "Attach a credential, or go on logging in by hand.",
    "no_viable_plans": "Log in by hand once with the credential attached, so that a plan is learnt.",
    "viable_plans_require_external_action": "Choose a way to sign in that needs no phone and no mail.",
    "requires_external_action": "Choose a way to sign in that needs no phone and no mail.",
    "requires_totp_without_secret": "Store the TOTP secret with the credential.",
    "requires_sms_code": "Change the second factor at the site from SMS to TOTP.",
    "requires_email_code": "Change the second factor at the site from mail to TOTP.",
    "requires_customer_input": "Log in by hand: something is asked for that is stored nowhere.",
}


def as_markdown():
    lines = ["| Error code | What to do |", "|---|---|"]
    lines += [f"| `{code}` | {remedy} |" for code, remedy in ERRORS.items()]
    lines += ["", "| Why it cannot re-login | What to do |", "|---|---|"]
    lines += [f"| `{reason}` | {remedy} |" for reason, remedy in REASONS.items()]
    return "\n".join(lines)
