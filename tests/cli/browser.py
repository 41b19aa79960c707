"""browser.py URL [PICTURES]: the pages of `loglog serve` in headless Chromium.

Clicks, keys, a narrow and a wide window, light and dark, through the DevTools
protocol (selenium).  Prints "NOT OK: ..." for what is not so, then the number
of claims; with a folder, every view is also saved there as a picture.
"""
import base64
import os
import sys
import time

from selenium import webdriver
from selenium.common.exceptions import WebDriverException
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.keys import Keys

url = sys.argv[1]
pictures = sys.argv[2] if len(sys.argv) > 2 else None
site = url.split("?")[0]
claims = failures = 0

options = webdriver.ChromeOptions()
for arg in ("--headless=new", "--no-sandbox", "--disable-gpu",
            "--disable-dev-shm-usage"):
    options.add_argument(arg)
options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
try:
    driver = webdriver.Chrome(options=options,
                              service=Service("/usr/bin/chromedriver"))
except WebDriverException as e:
    print("no browser:", str(e).splitlines()[0])
    sys.exit(77)


def claim(what, good):
    global claims, failures
    claims += 1
    if not good:
        failures += 1
        print("NOT OK:", what)


def js(code, *args):
    return driver.execute_script("return " + code, *args)


def wait(what, code, seconds=10):
    end = time.time() + seconds
    while time.time() < end:
        if js(code):
            claim(what, True)
            return
        time.sleep(0.05)
    claim(what + " within %g s: %s" % (seconds, code), False)


def window(width, dark):
    driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", {
        "width": width, "height": 900, "deviceScaleFactor": 1,
        "mobile": width < 600})
    driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [
        {"name": "prefers-color-scheme",
         "value": "dark" if dark else "light"}]})


def picture(name):
    if pictures:
        r = driver.execute_cdp_cmd("Page.captureScreenshot", {
            "format": "png", "captureBeyondViewport": True})
        with open(os.path.join(pictures, name + ".png"), "wb") as f:
            f.write(base64.b64decode(r["data"]))


def press(*keys):
    for key in keys:
        webdriver.ActionChains(driver).send_keys(key).perform()


def click(css):
    driver.find_element("css selector", css).click()


READY = {
    "overview": "document.querySelectorAll('#view .card').length >= 5",
    "runs": "document.querySelectorAll('#runs tbody tr').length > 0",
    "curves": "document.querySelectorAll('.chart path.line').length > 0",
    "laws": "document.querySelectorAll('figure svg').length > 0",
    "predictions": "document.querySelectorAll('#view .card').length > 0",
    "lanes": "document.querySelectorAll('.chart rect.lane').length > 0",
    "query": "document.querySelectorAll('#view tbody tr').length > 0",
}

# ---- the door
driver.get(site)
claim("without the token nothing is shown",
      "open the URL" in driver.page_source)
driver.get(url)
wait("the token opens the page", READY["overview"])
claim("the token has left the address", "token" not in driver.current_url)
claim("no script sees the cookie", js("document.cookie") == "")

# ---- every view, narrow and wide, light and dark
for width in (400, 1600):
    for dark in (False, True):
        window(width, dark)
        for view, ready in READY.items():
            driver.get(site + "?view=" + view)
            wait("%s is drawn at %d" % (view, width), ready)
            claim("%s fits into %d pixels" % (view, width),
                  js("document.documentElement.scrollWidth") <= width)
            picture("%s-%d-%s" % (view, width, "dark" if dark else "light"))
        driver.get(site + "report")
        wait("the report has its figures",
             "document.querySelectorAll('figure svg').length > 3")
        claim("the report fits into %d pixels" % width,
              js("document.documentElement.scrollWidth") <= width)
        picture("report-%d-%s" % (width, "dark" if dark else "light"))
        rgb = js("getComputedStyle(document.body).backgroundColor")
        red = int(rgb.split("(")[1].split(",")[0])
        claim("the background is %s: %s" % ("dark" if dark else "light", rgb),
              (red < 80) == dark)

# ---- the report on paper: nothing stays folded
driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": "print"})
driver.get(site + "report")
claim("on paper every table is open", js(
    "[...document.querySelectorAll('details table')].length > 0 && "
    "[...document.querySelectorAll('details table')].every((t) => "
    "t.checkVisibility({contentVisibilityAuto: true}) && "
    "t.getBoundingClientRect().height > 0)"))
driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": ""})

# ---- keys
window(1600, False)
driver.get(site)
wait("the page is there again", READY["overview"])
press("2")
wait("2 shows the runs", READY["runs"])
claim("the address says so", "view=runs" in driver.current_url)
rows = js("document.querySelectorAll('#runs tbody tr').length")
press("j", "j", "k")
wait("j and k move", "document.querySelector('#runs tr.at') && document"
     ".querySelector('#runs tr.at').previousElementSibling === null")
press("x")
wait("x picks", "location.search.includes('pick=')")
press(Keys.ENTER)
wait("Enter opens the run", "location.search.includes('view=run&') && "
     "document.querySelectorAll('.chart path.line').length == 1")
claim("its facts are told", "flops a token" in js(
    "document.querySelector('dl.facts').textContent"))
claim("in the window", js("document.documentElement.scrollWidth") <= 1600)
picture("run-1600-light")
press(Keys.ESCAPE)
wait("Esc goes back", READY["runs"])
press("3")
wait("3 shows the curve that was picked", READY["curves"])
claim("one curve", js("document.querySelectorAll('.legend li').length") == 1)
press("?")
wait("? explains", "document.getElementById('keys').open")
press(Keys.ESCAPE)
press("/")
wait("/ goes to the runs", READY["runs"])
press("/")
wait("/ goes to the filter", "document.activeElement.id === 'filter'")
press(*"nosuchrun")
wait("typing filters", "document.querySelectorAll('#runs tbody tr').length"
     " === 0 && location.search.includes('text=nosuchrun')")
claim("the filter keeps its text and focus",
      js("document.activeElement.value") == "nosuchrun")
driver.get(site + "?view=runs")
wait("a fresh list", READY["runs"])

# ---- clicks
click("[data-key=sort-bpb]")
wait("a click sorts", "document.querySelector('th[aria-sort=ascending]')")
bpb = js("[...document.querySelectorAll('#runs tbody tr')].map((r) => "
         "+r.cells[11].textContent)")
claim("in order", bpb == sorted(bpb) and len(bpb) == rows)
click("[data-key=sort-bpb]")
wait("again, the other way",
     "document.querySelector('th[aria-sort=descending]')")
driver.get(site + "?view=runs&stage=hyper&state=done")
wait("filters come from the address", READY["runs"])
claim("and are shown", js("document.querySelector('[data-key=stage]').value")
      == "hyper")
driver.get(site + "?view=curves&x=step&ylog=1")
wait("curves", READY["curves"])
axis = "document.querySelector('.chart').textContent"
before = js(axis)
chart = driver.find_element("css selector", ".chart")
webdriver.ActionChains(driver).move_to_element_with_offset(
    chart, -300, -150).click_and_hold().move_by_offset(600, 300).release() \
    .perform()
wait("dragging a box zooms", "location.search.includes('zoom=')")
claim("the axes follow", js(axis) != before)
picture("curves-zoomed")
driver.refresh()
wait("the zoom is in the address", READY["curves"])
claim("and is kept", js(axis) != before)
webdriver.ActionChains(driver).double_click(
    driver.find_element("css selector", ".chart")).perform()
wait("a double click shows all", "!location.search.includes('zoom=')")
driver.execute_script("document.querySelector('.chart').focus()")
press("+")
wait("+ zooms", "location.search.includes('zoom=')")
press("0")
wait("0 shows all", "!location.search.includes('zoom=')")
webdriver.ActionChains(driver).move_to_element(
    driver.find_element("css selector", ".chart")).perform()
wait("values under the pointer", "!document.querySelector('.tip').hidden")
driver.get(site + "?view=laws")
wait("figures", READY["laws"])
click("figure button")
wait("a figure is enlarged", "document.getElementById('dialog').open")
box = "document.querySelector('#dialog svg').getAttribute('viewBox')"
before = js(box)
press("+")
wait("and can be zoomed into", box + " !== '" + before + "'")
picture("figure-1600-light")
press(Keys.ESCAPE)
wait("Esc closes it", "!document.getElementById('dialog').open")
driver.get(site + "?view=query")
wait("queries", READY["query"])
driver.execute_script("document.querySelector('textarea').value = "
                      "'SELECT count(*) AS many FROM runs'")
click(".ask button.go")
wait("SQL is answered", "document.querySelector('#view tbody td') && document"
     ".querySelector('#view thead').textContent === 'many'")
driver.get(site + "?view=query&q=DELETE FROM run")
wait("what writes is refused", "document.querySelector('[role=alert]')")

# ---- what a reader of the screen hears
driver.get(site + "?view=laws")
wait("figures", READY["laws"])
claim("every figure has a title", js(
    "[...document.querySelectorAll('figure svg')].every((s) => "
    "s.querySelector('title') && s.querySelector('desc'))"))
claim("ids are unique", js(
    "(() => { const i = [...document.querySelectorAll('[id]')].map((e) => "
    "e.id); return new Set(i).size === i.length; })()"))
claim("every control has a name", js(
    "[...document.querySelectorAll('button, a, select, input')].every((e) => "
    "e.textContent.trim() || e.getAttribute('aria-label') || "
    "e.closest('label'))"))

errors = [line["message"] for line in driver.get_log("browser")
          if "favicon" not in line["message"] and " 400 " not in
          line["message"] and " 403 " not in line["message"]]
claim("no complaint of the browser: %s" % errors[:2], not errors)
driver.quit()
print("%d claims, %d failures" % (claims, failures))
sys.exit(failures > 0)
